// entry: main, constants:
// 256-bin histogram straight into storage atomics
@group(0) @binding(0) var<storage, read> pixels: array<u32>;
@group(0) @binding(1) var<storage, read_write> bins: array<atomic<u32>, 256>;
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= arrayLength(&pixels) { return; }
    let four = unpack4xU8(pixels[g.x]);
    for (var c = 0; c < 4; c++) { atomicAdd(&bins[four[c]], 1u); }
}
