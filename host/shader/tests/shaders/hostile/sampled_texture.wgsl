// entry: main, expect: refused not offered, unchecked: any, workgroups: 1 1 1, fuel: 1000000
// a texture and its sampler
@group(0) @binding(0) var<storage, read_write> out: array<vec4f>;
@group(0) @binding(1) var image: texture_2d<f32>;
@group(0) @binding(2) var how: sampler;
@compute @workgroup_size(1)
fn main() { out[0] = textureSampleLevel(image, how, vec2f(0.5), 0.0); }
