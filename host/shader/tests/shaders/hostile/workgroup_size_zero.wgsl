// entry: main, expect: refused, unchecked: any, workgroups: 1 1 1, fuel: 1000000, constants: N=0
// a workgroup of no invocations by an override
override N: u32 = 4u;
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(N)
fn main() { out[0] = 1u; }
