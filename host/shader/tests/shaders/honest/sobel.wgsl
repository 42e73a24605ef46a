// entry: main, constants:
// Sobel gradient magnitude
@group(0) @binding(0) var<storage, read> grey: array<f32>;
@group(0) @binding(1) var<storage, read_write> edges: array<f32>;
@group(0) @binding(2) var<uniform> dim: vec2i;
fn px(x: i32, y: i32) -> f32 {
    return grey[clamp(y, 0, dim.y - 1) * dim.x + clamp(x, 0, dim.x - 1)];
}
@compute @workgroup_size(16, 16, 1)
fn main(@builtin(global_invocation_id) gid: vec3<u32>) {
    let x = i32(gid.x);
    let y = i32(gid.y);
    if (x >= dim.x || y >= dim.y) { return; }
    let gx = -px(x-1,y-1) - 2.0*px(x-1,y) - px(x-1,y+1) + px(x+1,y-1) + 2.0*px(x+1,y) + px(x+1,y+1);
    let gy = -px(x-1,y-1) - 2.0*px(x,y-1) - px(x+1,y-1) + px(x-1,y+1) + 2.0*px(x,y+1) + px(x+1,y+1);
    edges[y * dim.x + x] = sqrt(gx * gx + gy * gy);
}
