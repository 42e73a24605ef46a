// entry: main, constants:
// histogram collected in workgroup atomics, then merged
@group(0) @binding(0) var<storage, read> data: array<u32>;
@group(0) @binding(1) var<storage, read_write> hist: array<atomic<u32>>;
var<workgroup> local_hist: array<atomic<u32>, 256>;
@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) li: u32, @builtin(global_invocation_id) g: vec3<u32>, @builtin(num_workgroups) nw: vec3<u32>) {
    atomicStore(&local_hist[li], 0u);
    workgroupBarrier();
    var i = g.x;
    let stride = nw.x * 256u;
    loop {
        if (i >= arrayLength(&data)) { break; }
        atomicAdd(&local_hist[data[i] & 255u], 1u);
        continuing { i += stride; }
    }
    workgroupBarrier();
    let count = atomicLoad(&local_hist[li]);
    if (count != 0u) { atomicAdd(&hist[li], count); }
}
