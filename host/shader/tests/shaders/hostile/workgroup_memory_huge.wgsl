// entry: main, expect: refused limit, unchecked: any, workgroups: 1 1 1, fuel: 1000000
// a gigabyte of workgroup memory
var<workgroup> s: array<u32, 268435456>;
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) t: u32) { s[t] = t; out[t] = s[t + 1u]; }
