// entry: main, constants:
// Householder reflection of a column in a workgroup
var<workgroup> s: array<f32, 64>;
@group(0) @binding(0) var<storage, read_write> columns: array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) t: u32, @builtin(workgroup_id) w: vec3u) {
    let v = columns[w.x * 64u + t];
    s[t] = v * v;
    var d = 32u;
    while d != 0u {
        workgroupBarrier();
        if t < d { s[t] = s[t] + s[t + d]; }
        d >>= 1u;
    }
    workgroupBarrier();
    let norm = sqrt(s[0]);
    columns[w.x * 64u + t] = select(v, v + select(-norm, norm, v >= 0.0), t == 0u);
}
