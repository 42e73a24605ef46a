// entry: main, constants:
// a helper with a barrier called from a loop and from straight code
var<workgroup> buffer: array<f32, 64>;
@group(0) @binding(0) var<storage, read_write> d: array<f32>;
fn exchange(t: u32, with_whom: u32, v: f32) -> f32 {
    workgroupBarrier();
    buffer[t] = v;
    workgroupBarrier();
    return buffer[with_whom];
}
fn butterfly(t: u32, v: f32, distance: u32) -> f32 {
    let other = exchange(t, t ^ distance, v);
    if (t & distance) == 0u { return v + other; }
    return other - v;
}
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) t: u32, @builtin(global_invocation_id) g: vec3u) {
    var v = exchange(t, 63u - t, d[g.x]);
    for (var stage = 0u; stage < 6u; stage++) { v = butterfly(t, v, 1u << stage); }
    d[g.x] = v;
}
