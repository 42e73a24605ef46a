// entry: main, constants:
// smoothed-particle density with a cell grid of linked lists
struct Fluid { count: u32, h: f32, mass: f32, cells: u32 }
@group(0) @binding(0) var<uniform> fluid: Fluid;
@group(0) @binding(1) var<storage, read> position: array<vec2f>;
@group(0) @binding(2) var<storage, read> head: array<i32>;
@group(0) @binding(3) var<storage, read> next: array<i32>;
@group(0) @binding(4) var<storage, read_write> density: array<f32>;
fn poly6(r2: f32) -> f32 {
    let h2 = fluid.h * fluid.h;
    if r2 >= h2 { return 0.0; }
    let d = h2 - r2;
    return 4.0 / (3.14159265 * pow(h2, 4.0)) * d * d * d;
}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= fluid.count { return; }
    let p = position[g.x];
    let home = vec2i(p / fluid.h);
    var rho = 0.0;
    for (var oy = -1; oy <= 1; oy++) {
        for (var ox = -1; ox <= 1; ox++) {
            let c = home + vec2i(ox, oy);
            if any(c < vec2i(0)) || any(c >= vec2i(i32(fluid.cells))) { continue; }
            var j = head[c.y * i32(fluid.cells) + c.x];
            while j >= 0 {
                let d = position[j] - p;
                rho += fluid.mass * poly6(dot(d, d));
                j = next[j];
            }
        }
    }
    density[g.x] = rho;
}
