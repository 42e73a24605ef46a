// entry: main, expect: refused must only be reached, unchecked: any, workgroups: 1 1 1, fuel: 1000000
// a barrier behind what a writable buffer holds
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) t: u32) {
    out[t & 1u] = t;
    if out[0] > 10u { storageBarrier(); }
    out[t] = t;
}
