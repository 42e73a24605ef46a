// entry: main, expect: fuel, unchecked: ends or timeout, workgroups: 1 1 1, fuel: 5000000
// nested loops of constant length whose product is astronomic
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(1)
fn main() {
    var x = out[0];
    for (var a = 0u; a < 65536u; a++) {
        for (var b = 0u; b < 65536u; b++) {
            for (var c = 0u; c < 65536u; c++) {
                x = x * 1664525u + (a ^ b ^ c) + out[x & 31u];
                out[x & 63u] = x;
            }
        }
    }
    out[0] = x;
}
