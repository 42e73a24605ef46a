// entry: main, expect: fuel, unchecked: ends or timeout, workgroups: 1 1 1, fuel: 500000
// the only break leaves the switch, never the loop
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(1)
fn main() {
    loop {
        switch out[0] {
            case 0u: { out[1] += 1u; break; }
            default: { break; }
        }
    }
}
