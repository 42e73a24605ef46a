// entry: main, constants:
// one Jacobi sweep on a tile with its halo
const T = 16u;
const H = 18u;
@group(0) @binding(0) var<storage, read> u_old: array<f32>;
@group(0) @binding(1) var<storage, read_write> u_new: array<f32>;
@group(0) @binding(2) var<uniform> n: u32;
var<workgroup> cell: array<array<f32, H>, H>;
@compute @workgroup_size(T, T)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(local_invocation_index) li: u32, @builtin(local_invocation_id) l: vec3u, @builtin(global_invocation_id) g: vec3u) {
    for (var k = li; k < H * H; k += T * T) {
        let hx = i32(w.x * T + k % H) - 1;
        let hy = i32(w.y * T + k / H) - 1;
        let cx = u32(clamp(hx, 0, i32(n) - 1));
        let cy = u32(clamp(hy, 0, i32(n) - 1));
        cell[k / H][k % H] = u_old[cy * n + cx];
    }
    workgroupBarrier();
    if g.x > 0u && g.y > 0u && g.x < n - 1u && g.y < n - 1u {
        let c = l.xy + 1u;
        u_new[g.y * n + g.x] = 0.25 * (cell[c.y - 1u][c.x] + cell[c.y + 1u][c.x] + cell[c.y][c.x - 1u] + cell[c.y][c.x + 1u]);
    }
}
