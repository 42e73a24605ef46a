// entry: main, expect: fuel, unchecked: ends or timeout, workgroups: 1 1 1, fuel: 500000
// a step that the data make zero
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<storage, read> src: array<u32>;
@compute @workgroup_size(1)
fn main() {
    let step = src[0] - 7u;
    for (var i = 0u; i < 100u; i += step) { out[i] += 1u; }
}
