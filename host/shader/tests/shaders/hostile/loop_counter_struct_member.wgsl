// entry: main, expect: fuel, unchecked: ends or timeout, workgroups: 1 1 1, fuel: 500000
// the counter is a member that a store to the whole struct resets
struct State { i: u32, sum: u32 }
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(1)
fn main() {
    var s = State(0u, 0u);
    for (; s.i < 10u; s.i++) {
        s = State(1u, s.sum + 1u);
        out[0] = s.sum;
    }
}
