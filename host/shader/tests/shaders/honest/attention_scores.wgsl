// entry: main, constants:
// scaled dot products of queries and keys with a causal mask
struct Shape { tokens: u32, dim: u32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> q: array<f32>;
@group(0) @binding(2) var<storage, read> k: array<f32>;
@group(0) @binding(3) var<storage, read_write> score: array<f32>;
@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= shape.tokens || g.y >= shape.tokens { return; }
    let at = g.y * shape.tokens + g.x;
    if g.x > g.y {
        score[at] = -1e30;
        return;
    }
    var dotted = 0.0;
    for (var d = 0u; d < shape.dim; d++) { dotted = fma(q[g.y * shape.dim + d], k[g.x * shape.dim + d], dotted); }
    score[at] = dotted * inverseSqrt(f32(shape.dim));
}
