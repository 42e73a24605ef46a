// entry: main, expect: refused, unchecked: any, workgroups: 1 1 1, fuel: 1000000
// a function that calls itself
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
fn down(n: u32) -> u32 { if n == 0u { return out[0]; } return down(n - 1u) + 1u; }
@compute @workgroup_size(1)
fn main() { out[0] = down(out[1]); }
