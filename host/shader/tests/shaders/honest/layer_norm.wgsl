// entry: main, constants:
// layer normalisation with a shared mean and variance
struct Norm { width: u32, eps: f32 }
@group(0) @binding(0) var<uniform> norm: Norm;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<storage, read> gamma: array<f32>;
@group(0) @binding(3) var<storage, read> beta: array<f32>;
var<workgroup> moments: array<vec2f, 64>;
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(local_invocation_id) lid: vec3u) {
    let t = lid.x;
    let base = w.x * norm.width;
    var m = vec2f();
    for (var c = t; c < norm.width; c += 64u) {
        let v = x[base + c];
        m += vec2f(v, v * v);
    }
    moments[t] = m;
    workgroupBarrier();
    for (var s = 32u; s > 0u; s = s / 2u) {
        if t < s { moments[t] += moments[t + s]; }
        workgroupBarrier();
    }
    let mean = moments[0].x / f32(norm.width);
    let variance = moments[0].y / f32(norm.width) - mean * mean;
    let inv = inverseSqrt(variance + norm.eps);
    for (var c = t; c < norm.width; c += 64u) {
        x[base + c] = (x[base + c] - mean) * inv * gamma[c] + beta[c];
    }
}
