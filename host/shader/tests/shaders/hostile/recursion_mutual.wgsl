// entry: main, expect: refused, unchecked: any, workgroups: 1 1 1, fuel: 1000000
// two functions that call each other
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
fn ping(n: u32) -> u32 { return pong(n + 1u); }
fn pong(n: u32) -> u32 { return ping(n + 1u); }
@compute @workgroup_size(1)
fn main() { out[0] = ping(0u); }
