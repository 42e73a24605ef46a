// entry: main, expect: refused, unchecked: any, workgroups: 1 1 1, fuel: 1000000, constants: N=NaN
// an override whose value is not a number
override N: u32 = 4u;
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(1)
fn main() { for (var i = 0u; i < N; i++) { out[i] = 1u; } }
