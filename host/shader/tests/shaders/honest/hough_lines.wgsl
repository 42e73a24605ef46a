// entry: main, constants:
// votes of edge pixels in the line parameter space
@group(0) @binding(0) var<storage, read> edge: array<u32>;
@group(0) @binding(1) var<storage, read_write> votes: array<atomic<u32>>;
@group(0) @binding(2) var<uniform> size: vec2u;
const ANGLES = 180u;
@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if any(g.xy >= size) || edge[g.y * size.x + g.x] == 0u { return; }
    let diagonal = length(vec2f(size));
    for (var a = 0u; a < ANGLES; a++) {
        let theta = radians(f32(a));
        let rho = f32(g.x) * cos(theta) + f32(g.y) * sin(theta);
        let bin = u32((rho + diagonal) * 0.5);
        atomicAdd(&votes[bin * ANGLES + a], 1u);
    }
}
