// entry: main, expect: refused must only be reached, unchecked: any, workgroups: 1 1 1, fuel: 1000000
// a vote, which differs between subgroups, decides about a barrier
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(128)
fn main(@builtin(local_invocation_index) t: u32) {
    if subgroupAny(t == 3u) { workgroupBarrier(); }
    out[t & 63u] = t;
}
