// entry: main, constants:
// several mip levels from one tile, levels counted by a uniform
struct Mip { width: u32, levels: u32 }
@group(0) @binding(0) var<uniform> mip: Mip;
@group(0) @binding(1) var<storage, read> base: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
var<workgroup> tile: array<array<f32, 16>, 16>;
@compute @workgroup_size(16, 16)
fn main(@builtin(local_invocation_id) l: vec3u, @builtin(global_invocation_id) g: vec3u) {
    tile[l.y][l.x] = base[g.y * mip.width + g.x];
    var offset = 0u;
    var width = mip.width;
    for (var level = 1u; level < min(mip.levels, 5u); level++) {
        workgroupBarrier();
        let live = 16u >> level;
        var v = 0.0;
        let inside = all(l.xy < vec2u(live));
        if inside {
            v = 0.25 * (tile[2u * l.y][2u * l.x] + tile[2u * l.y][2u * l.x + 1u] + tile[2u * l.y + 1u][2u * l.x] + tile[2u * l.y + 1u][2u * l.x + 1u]);
        }
        workgroupBarrier();
        width /= 2u;
        if inside {
            tile[l.y][l.x] = v;
            let x = (g.x / 16u) * live + l.x;
            let y = (g.y / 16u) * live + l.y;
            out[offset + y * width + x] = v;
        }
        offset += width * width;
    }
}
