// entry: main, expect: fuel, unchecked: ends or timeout, workgroups: 1 1 1, fuel: 500000
// a loop without any end that has an effect in each round
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(1)
fn main() {
    loop { out[0] += 1u; }
}
