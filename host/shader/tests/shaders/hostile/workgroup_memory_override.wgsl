// entry: main, expect: refused limit, unchecked: any, workgroups: 1 1 1, fuel: 1000000, constants: N=1000000
// workgroup memory whose size an override makes huge
override N: u32 = 4u;
var<workgroup> s: array<u32, N>;
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(1)
fn main() { s[out[0]] = 1u; out[0] = s[1]; }
