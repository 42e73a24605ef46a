// entry: main, constants:
// filmic tone mapping and sRGB encoding
@group(0) @binding(0) var<storage, read> hdr: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> ldr: array<u32>;
@group(0) @binding(2) var<uniform> exposure: f32;
fn srgb(linear: vec3f) -> vec3f {
    return select(1.055 * pow(linear, vec3f(1.0 / 2.4)) - 0.055, 12.92 * linear, linear <= vec3f(0.0031308));
}
@compute @workgroup_size(128)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= arrayLength(&ldr) { return; }
    let c = hdr[g.x].rgb * exposure;
    let mapped = saturate((c * (2.51 * c + 0.03)) / (c * (2.43 * c + 0.59) + 0.14));
    ldr[g.x] = pack4x8unorm(vec4f(srgb(mapped), 1.0));
}
