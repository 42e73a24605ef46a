// entry: main, expect: fuel, unchecked: ends or timeout, workgroups: 1 1 1, fuel: 500000
// a bound in storage that the body pushes on
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(1)
fn main() {
    out[0] = 10u;
    for (var i = 1u; i < out[0]; i++) { out[0] = i + 10u; }
}
