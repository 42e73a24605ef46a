// entry: main, expect: refused, unchecked: any, workgroups: 1 1 1, fuel: 1000000
// an assertion at compile time that does not hold
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
const_assert 1u + 1u == 3u;
@compute @workgroup_size(1)
fn main() { out[0] = 1u; }
