// entry: main, expect: contained, unchecked: any, workgroups: 1 1 1, fuel: 1000000, alias: yes
// one buffer bound for reading and for writing
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<storage, read> src: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) t: u32) { out[t] = src[63u - t] + 1u; }
