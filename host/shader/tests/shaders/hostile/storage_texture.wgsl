// entry: main, expect: refused not offered, unchecked: any, workgroups: 1 1 1, fuel: 1000000
// a storage texture
@group(0) @binding(0) var image: texture_storage_2d<rgba8unorm, write>;
@compute @workgroup_size(1)
fn main() { textureStore(image, vec2i(0), vec4f(1.0)); }
