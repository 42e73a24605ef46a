// entry: main, expect: refused group, unchecked: any, workgroups: 1 1 1, fuel: 1000000
// binds in the group that hotcell keeps for its meter
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(4) @binding(0) var<storage, read_write> meter: array<u32>;
@compute @workgroup_size(1)
fn main() { meter[1] = 0xffffffffu; out[0] = 1u; }
