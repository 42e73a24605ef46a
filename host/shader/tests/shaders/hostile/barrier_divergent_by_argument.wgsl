// entry: main, expect: refused must only be reached, unchecked: any, workgroups: 1 1 1, fuel: 1000000
// the branch inside the function depends on an argument that only one call makes divergent
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
fn maybe(flag: u32) { if flag == 1u { workgroupBarrier(); } }
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) t: u32) {
    maybe(1u);
    maybe(t);
    out[t] = t;
}
