// entry: main, constants:
// GELU activation by the tanh formula, vectorised
@group(0) @binding(0) var<storage, read_write> h: array<vec4f>;
const C0 = 0.7978845608;
const C1 = 0.044715;
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= arrayLength(&h) { return; }
    let x = h[g.x];
    h[g.x] = 0.5 * x * (1.0 + tanh(clamp(C0 * (x + C1 * x * x * x), vec4f(-10.0), vec4f(10.0))));
}
