// entry: main, constants: KERNEL=5
// direct two-dimensional convolution, border clamped
override KERNEL: i32 = 3;
struct Image { width: i32, height: i32 }
@group(0) @binding(0) var<uniform> image: Image;
@group(0) @binding(1) var<storage, read> src: array<f32>;
@group(0) @binding(2) var<storage, read> weights: array<f32>;
@group(0) @binding(3) var<storage, read_write> dst: array<f32>;
@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let p = vec2i(id.xy);
    if p.x >= image.width || p.y >= image.height { return; }
    let r = KERNEL / 2;
    var sum = 0.0;
    for (var dy = -r; dy <= r; dy++) {
        for (var dx = -r; dx <= r; dx++) {
            let q = clamp(p + vec2i(dx, dy), vec2i(0), vec2i(image.width - 1, image.height - 1));
            sum += src[q.y * image.width + q.x] * weights[(dy + r) * KERNEL + dx + r];
        }
    }
    dst[p.y * image.width + p.x] = sum;
}
