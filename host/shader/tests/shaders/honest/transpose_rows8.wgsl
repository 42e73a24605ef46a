// entry: main, constants:
// transposes a 32x32 tile with 8 rows of invocations, each moving four elements
const TILE_DIM: u32 = 32u;
const BLOCK_ROWS: u32 = 8u;
@group(0) @binding(0) var<storage, read> idata: array<u32>;
@group(0) @binding(1) var<storage, read_write> odata: array<u32>;
var<workgroup> block: array<u32, 1056>;
@compute @workgroup_size(TILE_DIM, BLOCK_ROWS)
fn main(@builtin(local_invocation_id) t: vec3u, @builtin(workgroup_id) b: vec3u, @builtin(num_workgroups) g: vec3u) {
    let width = g.x * TILE_DIM;
    let height = g.y * TILE_DIM;
    for (var j = 0u; j < TILE_DIM; j += BLOCK_ROWS) {
        block[(t.y + j) * 33u + t.x] = idata[(b.y * TILE_DIM + t.y + j) * width + b.x * TILE_DIM + t.x];
    }
    workgroupBarrier();
    for (var j = 0u; j < TILE_DIM; j += BLOCK_ROWS) {
        odata[(b.x * TILE_DIM + t.y + j) * height + b.y * TILE_DIM + t.x] = block[t.x * 33u + t.y + j];
    }
}
