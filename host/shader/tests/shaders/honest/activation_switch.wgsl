// entry: main, constants: ACTIVATION=3
// one of several activations chosen by an override
override ACTIVATION: u32 = 0u;
@group(0) @binding(0) var<storage, read_write> h: array<f32>;
fn activate(x: f32) -> f32 {
    switch ACTIVATION {
        case 0u: { return max(x, 0.0); }
        case 1u: { return 1.0 / (1.0 + exp(-x)); }
        case 2u: { return tanh(x); }
        case 3u: { return x / (1.0 + exp(-x)); }
        case 4u, 5u: { return select(0.01 * x, x, x > 0.0); }
        default: { return x; }
    }
}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x < arrayLength(&h) { h[g.x] = activate(h[g.x]); }
}
