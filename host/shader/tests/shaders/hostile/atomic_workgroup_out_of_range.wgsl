// entry: main, expect: clamped, unchecked: ends, workgroups: 1 1 1, fuel: 1000000, allowed: 0 5
// atomics outside of a workgroup array beside another
var<workgroup> a: array<atomic<u32>, 8>;
var<workgroup> b: array<atomic<u32>, 8>;
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(8)
fn main(@builtin(local_invocation_index) t: u32) {
    atomicStore(&b[t], 5u);
    workgroupBarrier();
    atomicAdd(&a[t * 1000u + 8u + out[0]], 1u);
    workgroupBarrier();
    out[t] = atomicLoad(&b[t]);
}
