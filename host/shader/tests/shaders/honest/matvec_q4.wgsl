// entry: main, constants:
// matrix in 4-bit blocks times a vector, a row a workgroup
var<workgroup> sums: array<f32, 32>;
@group(0) @binding(0) var<storage, read> nibbles: array<u32>;
@group(0) @binding(1) var<storage, read> scales: array<f32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<uniform> columns: u32;
@compute @workgroup_size(32)
fn main(@builtin(workgroup_id) row: vec3u, @builtin(local_invocation_index) t: u32) {
    let words = columns / 8u;
    var acc = 0.0;
    for (var word = t; word < words; word += 32u) {
        let bits = nibbles[row.x * words + word];
        let scale = scales[(row.x * words + word) / 4u];
        for (var n = 0u; n < 8u; n++) {
            acc += scale * (f32(extractBits(bits, n * 4u, 4u)) - 8.0) * x[word * 8u + n];
        }
    }
    sums[t] = acc;
    workgroupBarrier();
    if t < 16u { sums[t] += sums[t + 16u]; }
    workgroupBarrier();
    if t == 0u {
        var total = 0.0;
        for (var i = 0; i < 16; i++) { total += sums[i]; }
        y[row.x] = total;
    }
}
