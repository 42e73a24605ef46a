// entry: main, expect: refused, unchecked: any, workgroups: 1 1 1, fuel: 1000000
// two variables at one place, one of them read-only
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(0) var<storage, read> again: array<u32>;
@compute @workgroup_size(1)
fn main() { out[0] = again[1]; }
