// entry: main, constants:
// column sums, with rows split over the workgroup's y
@group(0) @binding(0) var<storage, read> m: array<f32>;
@group(0) @binding(1) var<storage, read_write> col: array<f32>;
struct Dim { rows: u32, cols: u32 }
@group(0) @binding(2) var<uniform> dim: Dim;
var<workgroup> part: array<array<f32, 16>, 16>;
@compute @workgroup_size(16, 16)
fn main(@builtin(local_invocation_id) lid: vec3u, @builtin(workgroup_id) wid: vec3u) {
    let c = wid.x * 16u + lid.x;
    var acc = 0.0;
    if c < dim.cols {
        for (var r = lid.y; r < dim.rows; r += 16u) { acc += m[r * dim.cols + c]; }
    }
    part[lid.y][lid.x] = acc;
    workgroupBarrier();
    if lid.y == 0u && c < dim.cols {
        var total = 0.0;
        for (var r = 0; r < 16; r++) { total += part[r][lid.x]; }
        col[c] = total;
    }
}
