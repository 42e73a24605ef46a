// entry: main, expect: fuel, unchecked: ends or timeout, workgroups: 1 1 1, fuel: 5000000
// constant loops whose product hides behind calls
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
fn f0(x: u32) -> u32 { var v = x; for (var i = 0u; i < 50000u; i++) { v = v * 3u + out[v & 31u]; out[v & 63u] = v; } return v; }
fn f1(x: u32) -> u32 { var v = x; for (var i = 0u; i < 50000u; i++) { v = f0(v); } return v; }
fn f2(x: u32) -> u32 { var v = x; for (var i = 0u; i < 50000u; i++) { v = f1(v); } return v; }
@compute @workgroup_size(1)
fn main() { out[0] = f2(out[1]); }
