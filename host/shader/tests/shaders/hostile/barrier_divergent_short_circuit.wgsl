// entry: main, expect: refused must only be reached, unchecked: any, workgroups: 1 1 1, fuel: 1000000
// a function with a barrier behind `&&` of a divergent left side
var<workgroup> s: u32;
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
fn meet() -> bool { workgroupBarrier(); return s == 0u; }
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) t: u32) {
    if t > 10u && meet() { out[t] = 1u; }
}
