// entry: main, constants:
// depthwise 3x3 convolution over channels with stride and bias
struct Shape { channels: u32, h: u32, w: u32, stride: u32 }
@group(0) @binding(0) var<uniform> s: Shape;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> kernel: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(8, 8, 2)
fn main(@builtin(global_invocation_id) o: vec3u) {
    let oh = s.h / s.stride;
    let ow = s.w / s.stride;
    if o.x >= ow || o.y >= oh || o.z >= s.channels { return; }
    var acc = bias[o.z];
    for (var ky = 0u; ky < 3u; ky++) {
        let iy = i32(o.y * s.stride + ky) - 1;
        if iy < 0 || iy >= i32(s.h) { continue; }
        for (var kx = 0u; kx < 3u; kx++) {
            let ix = i32(o.x * s.stride + kx) - 1;
            if ix < 0 || ix >= i32(s.w) { continue; }
            acc += x[(o.z * s.h + u32(iy)) * s.w + u32(ix)] * kernel[o.z * 9u + ky * 3u + kx];
        }
    }
    y[(o.z * oh + o.y) * ow + o.x] = acc;
}
