// entry: main, constants: RADIUS=6
// box blur of a row by a sliding sum
override RADIUS: i32 = 4;
@group(0) @binding(0) var<storage, read> src: array<f32>;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;
@group(0) @binding(2) var<uniform> size: vec2i;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    let y = i32(g.x);
    if y >= size.y { return; }
    let row = y * size.x;
    var sum = 0.0;
    for (var x = -RADIUS; x <= RADIUS; x++) { sum += src[row + clamp(x, 0, size.x - 1)]; }
    let scale = 1.0 / f32(2 * RADIUS + 1);
    for (var x = 0; x < size.x; x++) {
        dst[row + x] = sum * scale;
        sum += src[row + min(x + RADIUS + 1, size.x - 1)] - src[row + max(x - RADIUS, 0)];
    }
}
