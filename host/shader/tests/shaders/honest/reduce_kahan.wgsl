// entry: main, constants:
// compensated sum of a row for each invocation
@group(0) @binding(0) var<storage, read> rows: array<f32>;
@group(0) @binding(1) var<storage, read_write> sums: array<f32>;
@group(0) @binding(2) var<uniform> columns: u32;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let row = id.x;
    if row >= arrayLength(&sums) { return; }
    var sum = 0.0;
    var c = 0.0;
    for (var j = 0u; j < columns; j++) {
        let y = rows[row * columns + j] - c;
        let t = sum + y;
        c = (t - sum) - y;
        sum = t;
    }
    sums[row] = sum;
}
