// entry: main, expect: refused, unchecked: any, workgroups: 1 1 1, fuel: 1000000
// 64-bit floats
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(1)
fn main() { out[0] = u32(f64(out[1]) * f64(3.0)); }
