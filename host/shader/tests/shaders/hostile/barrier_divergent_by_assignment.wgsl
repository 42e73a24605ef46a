// entry: main, expect: refused must only be reached, unchecked: any, workgroups: 1 1 1, fuel: 1000000
// a flag gets a constant in a divergent branch
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) t: u32) {
    var flag = 0u;
    if t == 5u { flag = 1u; }
    if flag == 1u { workgroupBarrier(); }
    out[t] = t;
}
