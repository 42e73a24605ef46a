// entry: main, expect: fuel, unchecked: ends or timeout, workgroups: 1 1 1, fuel: 500000
// `i != bound` with a step that never meets it
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(1)
fn main() {
    for (var i = 0u; i != 99u; i += 2u) { out[i & 63u] += 1u; }
}
