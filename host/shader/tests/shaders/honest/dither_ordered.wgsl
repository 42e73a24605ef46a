// entry: main, constants:
// ordered dithering with a Bayer matrix
const BAYER = array<u32, 16>(0, 8, 2, 10, 12, 4, 14, 6, 3, 11, 1, 9, 15, 7, 13, 5);
@group(0) @binding(0) var<storage, read> grey: array<f32>;
@group(0) @binding(1) var<storage, read_write> bits: array<u32>;
@group(0) @binding(2) var<uniform> width: u32;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= arrayLength(&bits) { return; }
    var word = 0u;
    for (var b = 0u; b < 32u; b++) {
        let i = g.x * 32u + b;
        if i >= arrayLength(&grey) { break; }
        let x = i % width;
        let y = i / width;
        let threshold = (f32(BAYER[(y & 3u) * 4u + (x & 3u)]) + 0.5) / 16.0;
        word = insertBits(word, u32(grey[i] > threshold), b, 1u);
    }
    bits[g.x] = word;
}
