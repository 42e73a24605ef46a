// entry: main, constants:
// levels of a Haar wavelet transform in workgroup memory
var<workgroup> line: array<f32, 128>;
@group(0) @binding(0) var<storage, read_write> data: array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) t: u32, @builtin(workgroup_id) w: vec3u) {
    line[t] = data[w.x * 128u + t];
    line[t + 64u] = data[w.x * 128u + 64u + t];
    workgroupBarrier();
    var len = 64u;
    while len >= 1u {
        var mean = 0.0;
        var detail = 0.0;
        if t < len {
            mean = (line[2u * t] + line[2u * t + 1u]) * 0.70710678;
            detail = (line[2u * t] - line[2u * t + 1u]) * 0.70710678;
        }
        workgroupBarrier();
        if t < len {
            line[t] = mean;
            line[t + len] = detail;
        }
        workgroupBarrier();
        len = len >> 1u;
    }
    data[w.x * 128u + t] = line[t];
    data[w.x * 128u + 64u + t] = line[t + 64u];
}
