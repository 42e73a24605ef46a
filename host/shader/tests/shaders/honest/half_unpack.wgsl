// entry: main, constants:
// widens pairs of half floats packed in words
@group(0) @binding(0) var<storage, read> halves: array<u32>;
@group(0) @binding(1) var<storage, read_write> floats: array<vec2f>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x < min(arrayLength(&halves), arrayLength(&floats)) {
        floats[g.x] = unpack2x16float(halves[g.x]);
    }
}
