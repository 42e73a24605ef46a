// entry: main, constants:
// tridiagonal systems solved side by side, one system an invocation
struct System { n: u32, count: u32 }
@group(0) @binding(0) var<uniform> sys: System;
@group(0) @binding(1) var<storage, read> abc: array<vec3f>;
@group(0) @binding(2) var<storage, read_write> scratch: array<f32>;
@group(0) @binding(3) var<storage, read_write> x: array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= sys.count { return; }
    let base = g.x * sys.n;
    scratch[base] = abc[base].z / abc[base].y;
    x[base] /= abc[base].y;
    for (var i = 1u; i < sys.n; i++) {
        let e = abc[base + i];
        let m = 1.0 / (e.y - e.x * scratch[base + i - 1u]);
        scratch[base + i] = e.z * m;
        x[base + i] = (x[base + i] - e.x * x[base + i - 1u]) * m;
    }
    for (var i = i32(sys.n) - 2; i >= 0; i--) {
        let at = base + u32(i);
        x[at] -= scratch[at] * x[at + 1u];
    }
}
