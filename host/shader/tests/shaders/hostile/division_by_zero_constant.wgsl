// entry: main, expect: refused, unchecked: any, workgroups: 1 1 1, fuel: 1000000
// a constant division by zero
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
const ZERO = 3u - 3u;
@compute @workgroup_size(1)
fn main() { out[0] = 10u / ZERO; }
