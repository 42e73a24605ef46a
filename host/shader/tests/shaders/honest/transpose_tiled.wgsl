// entry: main, constants:
// transposes through a padded tile of workgroup memory
const TILE = 16u;
struct Shape { width: u32, height: u32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> src: array<f32>;
@group(0) @binding(2) var<storage, read_write> dst: array<f32>;
var<workgroup> tile: array<array<f32, 17>, 16>;
@compute @workgroup_size(TILE, TILE)
fn main(@builtin(workgroup_id) wid: vec3u, @builtin(local_invocation_id) lid: vec3u) {
    let sx = wid.x * TILE + lid.x;
    let sy = wid.y * TILE + lid.y;
    if (sx < shape.width && sy < shape.height) {
        tile[lid.y][lid.x] = src[sy * shape.width + sx];
    }
    workgroupBarrier();
    let dx = wid.y * TILE + lid.x;
    let dy = wid.x * TILE + lid.y;
    if (dx < shape.height && dy < shape.width) {
        dst[dy * shape.height + dx] = tile[lid.x][lid.y];
    }
}
