// entry: main, constants:
// skips whole tiles by a mask in a uniform, with continue before the barrier
struct Mask { bits: vec4u }
@group(0) @binding(0) var<uniform> mask: Mask;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
var<workgroup> tile: array<f32, 32>;
@compute @workgroup_size(32)
fn main(@builtin(local_invocation_index) t: u32, @builtin(global_invocation_id) g: vec3u) {
    var acc = 0.0;
    for (var b = 0u; b < 128u; b++) {
        if ((mask.bits[b / 32u] >> (b % 32u)) & 1u) == 0u { continue; }
        tile[t] = x[b * 32u + t];
        workgroupBarrier();
        acc += tile[31u - t];
        workgroupBarrier();
    }
    y[g.x] = acc;
}
