// entry: main, expect: fuel, unchecked: ends or timeout, workgroups: 1 1 1, fuel: 500000
// `break if` on what is never true
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(1)
fn main() {
    var i = 1u;
    loop {
        out[i & 63u] += i;
        continuing {
            i += 2u;
            break if i % 2u == 0u;
        }
    }
}
