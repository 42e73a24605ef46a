// entry: main, expect: refused, unchecked: any, workgroups: 1 1 1, fuel: 1000000, by: session
// a binding number of four thousand million
@group(0) @binding(4294967295) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(1)
fn main() { out[0] = 1u; }
