// entry: main, constants:
// numerically safe softmax of a row for each workgroup
@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<uniform> columns: u32;
var<workgroup> red: array<f32, 128>;
fn reduce_max(t: u32, v: f32) -> f32 {
    red[t] = v;
    for (var s = 64u; s > 0u; s >>= 1u) {
        workgroupBarrier();
        if t < s { red[t] = max(red[t], red[t + s]); }
    }
    workgroupBarrier();
    let r = red[0];
    workgroupBarrier();
    return r;
}
fn reduce_sum(t: u32, v: f32) -> f32 {
    red[t] = v;
    for (var s = 64u; s > 0u; s >>= 1u) {
        workgroupBarrier();
        if t < s { red[t] += red[t + s]; }
    }
    workgroupBarrier();
    let r = red[0];
    workgroupBarrier();
    return r;
}
@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(local_invocation_index) t: u32) {
    let base = w.x * columns;
    var m = -3.4e38;
    for (var c = t; c < columns; c += 128u) { m = max(m, x[base + c]); }
    m = reduce_max(t, m);
    var s = 0.0;
    for (var c = t; c < columns; c += 128u) { s += exp(x[base + c] - m); }
    s = reduce_sum(t, s);
    for (var c = t; c < columns; c += 128u) { x[base + c] = exp(x[base + c] - m) / s; }
}
