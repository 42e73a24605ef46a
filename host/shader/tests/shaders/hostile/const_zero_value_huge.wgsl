// entry: main, expect: refused, unchecked: none, workgroups: 1 1 1, fuel: 1000000
// the zero value of an enormous array as a constant
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
const ZEROS = array<array<u32, 65536>, 65536>();
@compute @workgroup_size(1)
fn main() { out[0] = ZEROS[out[1]][out[2]]; }
