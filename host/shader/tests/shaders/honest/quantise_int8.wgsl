// entry: main, constants:
// block-wise quantisation to signed bytes with a scale a block
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> q: array<u32>;
@group(0) @binding(2) var<storage, read_write> scale: array<f32>;
const BLOCK = 32u;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= arrayLength(&scale) { return; }
    var most = 0.0;
    for (var i = 0u; i < BLOCK; i++) { most = max(most, abs(x[g.x * BLOCK + i])); }
    let s = most / 127.0;
    scale[g.x] = s;
    let inv = select(0.0, 1.0 / s, s > 0.0);
    for (var i = 0u; i < BLOCK; i += 4u) {
        let at = g.x * BLOCK + i;
        let v = vec4i(round(vec4f(x[at], x[at + 1u], x[at + 2u], x[at + 3u]) * inv));
        q[at / 4u] = pack4xI8(v);
    }
}
