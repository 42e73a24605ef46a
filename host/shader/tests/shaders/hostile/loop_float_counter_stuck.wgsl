// entry: main, expect: fuel, unchecked: ends or timeout, workgroups: 1 1 1, fuel: 500000
// a float counter too large for its step to change it
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(1)
fn main() {
    for (var x = 16777216.0; x < 16777300.0; x += 1.0) { out[0] += 1u; }
}
