// entry: main, expect: refused, unchecked: any, workgroups: 1 1 1, fuel: 1000000
// a constant index past the end of a sized array
@group(0) @binding(0) var<storage, read_write> out: array<u32, 4>;
@compute @workgroup_size(1)
fn main() { out[0] = out[4]; }
