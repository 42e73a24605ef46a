// entry: main, expect: fuel, unchecked: ends or timeout, workgroups: 1 1 1, fuel: 500000
// a loop whose break is jumped over by continue
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(1)
fn main() {
    var i = 0u;
    loop {
        i++;
        out[0] = i;
        if i >= 0u { continue; }
        break;
    }
}
