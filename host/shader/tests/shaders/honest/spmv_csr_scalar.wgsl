// entry: main, constants:
// sparse matrix times vector in CSR, one row an invocation
@group(0) @binding(0) var<storage, read> row_start: array<u32>;
@group(0) @binding(1) var<storage, read> column: array<u32>;
@group(0) @binding(2) var<storage, read> value: array<f32>;
@group(0) @binding(3) var<storage, read> x: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(128)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= arrayLength(&y) { return; }
    var sum = 0.0;
    for (var k = row_start[g.x]; k < row_start[g.x + 1u]; k++) {
        sum += value[k] * x[column[k]];
    }
    y[g.x] = sum;
}
