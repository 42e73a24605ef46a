// entry: main, expect: refused, unchecked: any, workgroups: 1 1 1, fuel: 1000000
// more invocations in a workgroup than a device has
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(1024, 1024, 64)
fn main(@builtin(local_invocation_index) t: u32) { out[t & 63u] = 1u; }
