// entry: main, expect: fuel, unchecked: ends or timeout, workgroups: 1 1 1, fuel: 500000
// nested loops over lengths read from a buffer
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<storage, read> n: array<u32>;
@compute @workgroup_size(1)
fn main() {
    let m = n[0] * 100000u;
    for (var a = 0u; a < m; a++) {
        for (var b = 0u; b < m; b++) {
            for (var c = 0u; c < m; c++) { out[(a + b + c) & 63u] += a * b + c; }
        }
    }
}
