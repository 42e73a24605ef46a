// entry: main, constants:
// Adam's update of parameters with bias correction
struct Adam { rate: f32, beta1: f32, beta2: f32, eps: f32, step: u32 }
@group(0) @binding(0) var<uniform> adam: Adam;
@group(0) @binding(1) var<storage, read> gradient: array<f32>;
@group(0) @binding(2) var<storage, read_write> weight: array<f32>;
@group(0) @binding(3) var<storage, read_write> moment: array<vec2f>;
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= arrayLength(&weight) { return; }
    let d = gradient[g.x];
    let m = mix(vec2f(d, d * d), moment[g.x], vec2f(adam.beta1, adam.beta2));
    moment[g.x] = m;
    let t = f32(adam.step);
    let corrected = m / (1.0 - pow(vec2f(adam.beta1, adam.beta2), vec2f(t)));
    weight[g.x] -= adam.rate * corrected.x / (sqrt(corrected.y) + adam.eps);
}
