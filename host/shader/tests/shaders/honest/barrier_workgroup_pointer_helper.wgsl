// entry: main, constants:
// helper taking a pointer to workgroup memory's tile
var<workgroup> plane: array<array<f32, 8>, 8>;
@group(0) @binding(0) var<storage, read_write> blocks: array<f32>;
fn flip(row: u32, column: u32) -> f32 {
    let v = plane[column][row];
    workgroupBarrier();
    return v;
}
@compute @workgroup_size(8, 8)
fn main(@builtin(local_invocation_id) l: vec3u, @builtin(workgroup_id) w: vec3u) {
    let at = w.x * 64u + l.y * 8u + l.x;
    for (var turn = 0; turn < 3; turn++) {
        plane[l.y][l.x] = blocks[at];
        workgroupBarrier();
        blocks[at] = flip(l.y, l.x);
    }
}
