// entry: main, constants:
// particle-to-grid transfer of the material point method in fixed point
struct Particle { x: vec2f, v: vec2f, c: vec4f, volume: f32, pad: f32 }
struct Cell { mass: atomic<i32>, mx: atomic<i32>, my: atomic<i32> }
@group(0) @binding(0) var<storage, read> particles: array<Particle>;
@group(0) @binding(1) var<storage, read_write> grid: array<Cell>;
const GRID = 128;
const FIXED = 1e6;
fn weights(fx: vec2f) -> array<vec2f, 3> {
    return array<vec2f, 3>(0.5 * (1.5 - fx) * (1.5 - fx), 0.75 - (fx - 1.0) * (fx - 1.0), 0.5 * (fx - 0.5) * (fx - 0.5));
}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= arrayLength(&particles) { return; }
    let p = particles[g.x];
    let base = vec2i(p.x * f32(GRID) - 0.5);
    let fx = p.x * f32(GRID) - vec2f(base);
    var w = weights(fx);
    for (var i = 0; i < 3; i++) {
        for (var j = 0; j < 3; j++) {
            let at = base + vec2i(i, j);
            if any(at < vec2i(0)) || any(at >= vec2i(GRID)) { continue; }
            let weight = w[i].x * w[j].y;
            let d = (vec2f(f32(i), f32(j)) - fx) / f32(GRID);
            let momentum = weight * (p.v + vec2f(dot(p.c.xy, d), dot(p.c.zw, d)));
            let k = at.y * GRID + at.x;
            atomicAdd(&grid[k].mass, i32(weight * FIXED));
            atomicAdd(&grid[k].mx, i32(momentum.x * FIXED));
            atomicAdd(&grid[k].my, i32(momentum.y * FIXED));
        }
    }
}
