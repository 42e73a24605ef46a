// entry: main, constants:
// y = A x, a workgroup for each row
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
struct Shape { rows: u32, columns: u32 }
@group(0) @binding(3) var<uniform> shape: Shape;
var<workgroup> sums: array<f32, 64>;
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(local_invocation_index) t: u32) {
    if (w.x >= shape.rows) { return; }
    var s = 0.0;
    for (var j = t; j < shape.columns; j += 64u) { s += a[w.x * shape.columns + j] * x[j]; }
    sums[t] = s;
    workgroupBarrier();
    for (var k = 32u; k > 0u; k >>= 1u) {
        if (t < k) { sums[t] += sums[t + k]; }
        workgroupBarrier();
    }
    if (t == 0u) { y[w.x] = sums[0]; }
}
