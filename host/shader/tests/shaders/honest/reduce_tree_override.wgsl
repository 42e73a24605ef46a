// entry: main, constants: BLOCK=64
// sum of a block whose size is an override, loop bound derived from it
override BLOCK: u32 = 128u;
@group(0) @binding(0) var<storage, read> input: array<f32>;
@group(0) @binding(1) var<storage, read_write> partial: array<f32>;
var<workgroup> tile: array<f32, BLOCK>;
@compute @workgroup_size(BLOCK)
fn main(@builtin(global_invocation_id) gid: vec3<u32>,
        @builtin(local_invocation_index) lane: u32,
        @builtin(workgroup_id) wid: vec3<u32>) {
    tile[lane] = select(0.0, input[min(gid.x, arrayLength(&input) - 1u)], gid.x < arrayLength(&input));
    for (var half = BLOCK / 2u; half >= 1u; half = half / 2u) {
        workgroupBarrier();
        if lane < half {
            tile[lane] = tile[lane] + tile[lane + half];
        }
    }
    if lane == 0u { partial[wid.x] = tile[0]; }
}
