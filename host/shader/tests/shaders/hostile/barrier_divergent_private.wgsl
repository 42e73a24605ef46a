// entry: main, expect: refused must only be reached, unchecked: any, workgroups: 1 1 1, fuel: 1000000
// the flag is a private variable set in another function
var<private> flag: bool;
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
fn set_flag(t: u32) { flag = t > 3u; }
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) t: u32) {
    set_flag(t);
    if flag { workgroupBarrier(); }
    out[t] = t;
}
