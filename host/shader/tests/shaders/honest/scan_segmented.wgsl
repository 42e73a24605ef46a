// entry: main, constants:
// segmented inclusive scan with head flags
var<workgroup> value: array<f32, 64>;
var<workgroup> flag: array<u32, 64>;
@group(0) @binding(0) var<storage, read> heads: array<u32>;
@group(0) @binding(1) var<storage, read_write> data: array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) i: u32, @builtin(global_invocation_id) g: vec3u) {
    value[i] = data[g.x];
    flag[i] = heads[g.x];
    workgroupBarrier();
    for (var d = 1u; d < 64u; d <<= 1u) {
        var nv = value[i];
        var nf = flag[i];
        if i >= d {
            if nf == 0u { nv += value[i - d]; }
            nf |= flag[i - d];
        }
        workgroupBarrier();
        value[i] = nv;
        flag[i] = nf;
        workgroupBarrier();
    }
    data[g.x] = value[i];
}
