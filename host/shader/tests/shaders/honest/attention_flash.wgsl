// entry: main, constants:
// attention with keys staged tile by tile and a running softmax
const D = 16u;
const BLOCK = 32u;
struct Shape { tokens: u32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> q: array<f32>;
@group(0) @binding(2) var<storage, read> k: array<f32>;
@group(0) @binding(3) var<storage, read> v: array<f32>;
@group(0) @binding(4) var<storage, read_write> o: array<f32>;
var<workgroup> kt: array<array<f32, D>, BLOCK>;
var<workgroup> vt: array<array<f32, D>, BLOCK>;
@compute @workgroup_size(BLOCK)
fn main(@builtin(local_invocation_index) t: u32, @builtin(global_invocation_id) g: vec3u) {
    let row = min(g.x, shape.tokens - 1u);
    var query: array<f32, D>;
    var acc: array<f32, D>;
    for (var d = 0u; d < D; d++) { query[d] = q[row * D + d]; }
    var top = -1e30;
    var norm = 0.0;
    for (var first = 0u; first < shape.tokens; first += BLOCK) {
        for (var d = 0u; d < D; d++) {
            let source = min(first + t, shape.tokens - 1u) * D + d;
            kt[t][d] = k[source];
            vt[t][d] = v[source];
        }
        workgroupBarrier();
        let live = min(BLOCK, shape.tokens - first);
        for (var j = 0u; j < live; j++) {
            var s = 0.0;
            for (var d = 0u; d < D; d++) { s += query[d] * kt[j][d]; }
            s *= 0.25;
            let next_top = max(top, s);
            let keep = exp(top - next_top);
            let weight = exp(s - next_top);
            norm = norm * keep + weight;
            for (var d = 0u; d < D; d++) { acc[d] = acc[d] * keep + weight * vt[j][d]; }
            top = next_top;
        }
        workgroupBarrier();
    }
    if g.x < shape.tokens {
        for (var d = 0u; d < D; d++) { o[row * D + d] = acc[d] / norm; }
    }
}
