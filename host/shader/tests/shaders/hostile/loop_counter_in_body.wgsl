// entry: main, expect: fuel, unchecked: ends or timeout, workgroups: 1 1 1, fuel: 500000
// the body counts back what the continuing block counts on
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(1)
fn main() {
    for (var i = 0u; i < 100u; i++) {
        i -= 1u;
        out[i & 63u] += 1u;
    }
}
