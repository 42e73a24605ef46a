// entry: main, expect: refused, unchecked: any, workgroups: 1 1 1, fuel: 1000000
// 16-bit floats behind an enable directive
enable f16;
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(1)
fn main() { out[0] = u32(f16(out[1]) * 2.0h); }
