// entry: main, expect: fuel, unchecked: ends or timeout, workgroups: 1 1 1, fuel: 500000
// a step that jumps over the bound by wrapping, again and again
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<storage, read> src: array<u32>;
@compute @workgroup_size(1)
fn main() {
    let bound = 0xfffffff8u + (src[0] - 7u);
    for (var i = 0u; i < bound; i += 16u) { out[i & 63u] += 1u; }
}
