// entry: main, expect: refused argument of `workgroupUniformLoad`, unchecked: any, workgroups: 1 1 1, fuel: 1000000
// workgroupUniformLoad at an index that differs between lanes, then a barrier behind its result
var<workgroup> s: array<u32, 64>;
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) t: u32) {
    s[t] = t;
    workgroupBarrier();
    if workgroupUniformLoad(&s[t]) > 5u { workgroupBarrier(); }
    out[t] = t;
}
