// entry: main, expect: refused, unchecked: any, workgroups: 1 1 1, fuel: 1000000
// a subgroup barrier in a branch that lanes take apart
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) t: u32) {
    if (t & 1u) == 1u { subgroupBarrier(); }
    out[t] = t;
}
