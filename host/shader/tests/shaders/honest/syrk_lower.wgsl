// entry: main, constants:
// lower triangle of A Aᵀ, invocations above the diagonal idle
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read_write> c: array<f32>;
@group(0) @binding(2) var<uniform> nk: vec2u;
var<workgroup> rows: array<f32, 256>;
var<workgroup> cols: array<f32, 256>;
@compute @workgroup_size(16, 16)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(local_invocation_id) l: vec3u) {
    if w.x > w.y { return; }
    let i = w.y * 16u + l.y;
    let j = w.x * 16u + l.x;
    var acc = 0.0;
    for (var k = 0u; k < nk.y; k += 16u) {
        rows[l.y * 16u + l.x] = a[i * nk.y + k + l.x];
        cols[l.y * 16u + l.x] = a[(w.x * 16u + l.y) * nk.y + k + l.x];
        workgroupBarrier();
        for (var q = 0u; q < 16u; q++) { acc += rows[l.y * 16u + q] * cols[l.x * 16u + q]; }
        workgroupBarrier();
    }
    if j <= i && i < nk.x { c[i * nk.x + j] = acc; }
}
