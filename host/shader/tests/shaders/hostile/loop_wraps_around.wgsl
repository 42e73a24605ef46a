// entry: main, expect: fuel, unchecked: ends or timeout, workgroups: 1 1 1, fuel: 500000
// `i >= 0` on an unsigned induction variable that counts down for ever
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(1)
fn main() {
    for (var i = 100u; i >= 0u; i--) { out[i & 63u] += i; }
}
