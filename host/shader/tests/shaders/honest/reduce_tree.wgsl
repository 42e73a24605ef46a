// entry: main, constants:
// sum of a block by a halving tree in workgroup memory
const BLOCK: u32 = 256u;
@group(0) @binding(0) var<storage, read> input: array<f32>;
@group(0) @binding(1) var<storage, read_write> partial: array<f32>;
var<workgroup> tile: array<f32, BLOCK>;
@compute @workgroup_size(BLOCK)
fn main(@builtin(global_invocation_id) gid: vec3<u32>,
        @builtin(local_invocation_id) lid: vec3<u32>,
        @builtin(workgroup_id) wid: vec3<u32>) {
    var v = 0.0;
    if (gid.x < arrayLength(&input)) { v = input[gid.x]; }
    tile[lid.x] = v;
    workgroupBarrier();
    for (var s = BLOCK / 2u; s > 0u; s >>= 1u) {
        if (lid.x < s) { tile[lid.x] += tile[lid.x + s]; }
        workgroupBarrier();
    }
    if (lid.x == 0u) { partial[wid.x] = tile[0]; }
}
