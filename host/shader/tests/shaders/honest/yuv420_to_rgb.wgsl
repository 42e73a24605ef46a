// entry: main, constants:
// planar YUV 4:2:0 bytes to packed RGBA
struct Frame { width: u32, height: u32, u_offset: u32, v_offset: u32 }
@group(0) @binding(0) var<uniform> frame: Frame;
@group(0) @binding(1) var<storage, read> planes: array<u32>;
@group(0) @binding(2) var<storage, read_write> rgba: array<u32>;
fn byte_at(i: u32) -> f32 { return f32(extractBits(planes[i >> 2u], (i & 3u) * 8u, 8u)) / 255.0; }
@compute @workgroup_size(16, 16)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= frame.width || g.y >= frame.height { return; }
    let chroma = (g.y / 2u) * (frame.width / 2u) + g.x / 2u;
    let y = byte_at(g.y * frame.width + g.x);
    let u = byte_at(frame.u_offset + chroma) - 0.5;
    let v = byte_at(frame.v_offset + chroma) - 0.5;
    let m = mat3x3f(vec3f(1.0, 1.0, 1.0), vec3f(0.0, -0.344, 1.772), vec3f(1.402, -0.714, 0.0));
    rgba[g.y * frame.width + g.x] = pack4x8unorm(vec4f(m * vec3f(y, u, v), 1.0));
}
