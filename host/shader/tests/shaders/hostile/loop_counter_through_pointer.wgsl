// entry: main, expect: fuel, unchecked: ends or timeout, workgroups: 1 1 1, fuel: 500000
// the body sets the loop's counter back through a pointer
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
fn rewind(p: ptr<function, u32>) { *p = 0u; }
@compute @workgroup_size(1)
fn main() {
    for (var i = 0u; i < 100u; i++) {
        out[i] += 1u;
        if i == 50u { rewind(&i); }
    }
}
