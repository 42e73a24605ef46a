// entry: main, expect: fuel, unchecked: ends or timeout, workgroups: 1 1 1, fuel: 500000
// the continuing block calls a function that never ends
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
fn spin() { while out[5] == 0u { out[6] += 1u; } }
@compute @workgroup_size(1)
fn main() {
    for (var i = 0u; i < 4u; i++) {
        out[i] = i;
        continue;
    }
    loop {
        out[0] += 1u;
        continuing {
            spin();
            break if out[0] > 3u;
        }
    }
}
