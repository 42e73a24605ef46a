// entry: main, expect: refused must only be reached, unchecked: any, workgroups: 1 1 1, fuel: 1000000
// a function makes a flag divergent through a pointer
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
fn taint(p: ptr<function, u32>, t: u32) { *p = t; }
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) t: u32) {
    var flag = 1u;
    taint(&flag, t);
    if flag == 1u { workgroupBarrier(); }
    out[t] = t;
}
