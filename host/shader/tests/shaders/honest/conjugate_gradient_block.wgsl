// entry: main, constants:
// conjugate gradients for a small system in one workgroup, stopped by a uniformly loaded residual
const N = 32u;
var<workgroup> p: array<f32, N>;
var<workgroup> products: array<f32, N>;
var<workgroup> total: f32;
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
fn sum(t: u32, v: f32) -> f32 {
    products[t] = v;
    workgroupBarrier();
    if t == 0u {
        var s = 0.0;
        for (var i = 0u; i < N; i++) { s += products[i]; }
        total = s;
    }
    return workgroupUniformLoad(&total);
}
@compute @workgroup_size(N)
fn main(@builtin(local_invocation_index) t: u32) {
    var xi = 0.0;
    var r = x[t];
    p[t] = r;
    var rr = sum(t, r * r);
    for (var it = 0; it < 64; it++) {
        if rr < 1e-10 { break; }
        var ap = 0.0;
        for (var j = 0u; j < N; j++) { ap += a[t * N + j] * p[j]; }
        let alpha = rr / sum(t, p[t] * ap);
        xi += alpha * p[t];
        r -= alpha * ap;
        let next = sum(t, r * r);
        p[t] = r + next / rr * p[t];
        rr = next;
        workgroupBarrier();
    }
    x[t] = xi;
}
