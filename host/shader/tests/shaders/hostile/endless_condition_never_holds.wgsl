// entry: main, expect: fuel, unchecked: ends or timeout, workgroups: 1 1 1, fuel: 500000
// left only when a number equals itself plus one
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(1)
fn main() {
    var i = out[0];
    loop {
        i = i * 1664525u + 1013904223u;
        if i == i + 1u { break; }
        out[1] = i;
    }
}
