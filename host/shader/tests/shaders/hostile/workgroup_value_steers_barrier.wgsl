// entry: main, expect: refused must only be reached, unchecked: any, workgroups: 1 1 1, fuel: 1000000
// plain workgroup memory, written by others meanwhile, decides about a barrier
var<workgroup> s: u32;
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) t: u32) {
    s = t;
    if s == 5u { workgroupBarrier(); }
    out[t] = s;
}
