// entry: main, constants:
// fills a buffer with PCG random numbers, one stream an invocation
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<uniform> seed: u32;
fn pcg(state: ptr<function, u32>) -> u32 {
    let s = *state;
    *state = s * 747796405u + 2891336453u;
    let word = ((s >> ((s >> 28u) + 4u)) ^ s) * 277803737u;
    return (word >> 22u) ^ word;
}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    var state = g.x ^ seed;
    for (var k = 0u; k < 4u; k++) {
        let at = g.x * 4u + k;
        if at < arrayLength(&out) { out[at] = pcg(&state); }
    }
}
