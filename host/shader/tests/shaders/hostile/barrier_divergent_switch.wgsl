// entry: main, expect: refused must only be reached, unchecked: any, workgroups: 1 1 1, fuel: 1000000
// the barrier is in one case of a switch over the lane
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) t: u32) {
    switch t {
        case 0u, 1u: { out[t] = 1u; }
        case 2u: { workgroupBarrier(); }
        default: { out[t] = 2u; }
    }
}
