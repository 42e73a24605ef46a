// entry: main, constants:
// copies the rows named by an index list (embedding lookup)
@group(0) @binding(0) var<storage, read> table: array<f32>;
@group(0) @binding(1) var<storage, read> index: array<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
override WIDTH: u32 = 64u;
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) row: vec3u, @builtin(local_invocation_id) lane: vec3u) {
    let origin = index[row.x] * WIDTH;
    for (var c = lane.x; c < WIDTH; c += 64u) {
        out[row.x * WIDTH + c] = table[origin + c];
    }
}
