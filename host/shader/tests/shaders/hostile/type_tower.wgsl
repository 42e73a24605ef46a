// entry: main, expect: refused, unchecked: any, workgroups: 1 1 1, fuel: 1000000
// arrays of arrays whose size overflows
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<storage, read> src: array<array<array<array<array<u32, 65535>, 65535>, 65535>, 65535>, 65535>;
@compute @workgroup_size(1)
fn main() { out[0] = src[1][2][3][4][5]; }
