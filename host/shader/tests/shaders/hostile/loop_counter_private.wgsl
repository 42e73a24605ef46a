// entry: main, expect: fuel, unchecked: ends or timeout, workgroups: 1 1 1, fuel: 500000
// the counter is a private variable that a function resets
var<private> i: u32;
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
fn reset() { i = 0u; }
@compute @workgroup_size(1)
fn main() {
    for (i = 0u; i < 10u; i++) {
        out[i] += 1u;
        reset();
    }
}
