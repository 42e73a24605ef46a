// entry: main, expect: fuel, unchecked: any, workgroups: 1 1 1, fuel: 500000
// an endless loop with nothing in it, which a compiler may take away
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(1)
fn main() {
    while true { }
    out[0] = 1u;
}
