// entry: main, constants:
// one-dimensional error diffusion, a row an invocation
@group(0) @binding(0) var<storage, read_write> image: array<f32>;
@group(0) @binding(1) var<uniform> size: vec2u;
@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= size.y { return; }
    var carry = 0.0;
    for (var x = 0u; x < size.x; x++) {
        let wanted = image[g.x * size.x + x] + carry;
        let drawn = select(0.0, 1.0, wanted >= 0.5);
        carry = wanted - drawn;
        image[g.x * size.x + x] = drawn;
    }
}
