// entry: main, expect: fuel, unchecked: ends or timeout, workgroups: 1 1 1, fuel: 500000
// `i <= i32 maximum` counts past the end into the negative
@group(0) @binding(0) var<storage, read_write> out: array<i32>;
@compute @workgroup_size(1)
fn main() {
    for (var i = 2147483000; i <= 2147483647; i++) { out[i & 63] += 1; }
}
