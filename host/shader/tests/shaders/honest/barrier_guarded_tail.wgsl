// entry: main, constants:
// out-of-range lanes carry on with neutral values so that barriers are met
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> block_max: array<f32>;
@group(0) @binding(2) var<uniform> n: u32;
var<workgroup> s: array<f32, 256>;
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) g: vec3u, @builtin(local_invocation_index) t: u32, @builtin(workgroup_id) w: vec3u) {
    let in_range = g.x < n;
    if in_range { s[t] = x[g.x]; } else { s[t] = -3.0e38; }
    workgroupBarrier();
    for (var k = 1u; k < 256u; k <<= 1u) {
        if (t & (2u * k - 1u)) == 0u && t + k < 256u { s[t] = max(s[t], s[t + k]); }
        workgroupBarrier();
    }
    if t != 0u { return; }
    block_max[w.x] = s[0];
}
