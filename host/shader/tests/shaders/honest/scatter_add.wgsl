// entry: main, constants:
// adds contributions to fixed-point bins by an index list
@group(0) @binding(0) var<storage, read> index: array<u32>;
@group(0) @binding(1) var<storage, read> contribution: array<f32>;
@group(0) @binding(2) var<storage, read_write> bins: array<atomic<i32>>;
const SCALE = 65536.0;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if (g.x >= arrayLength(&index)) { return; }
    let bin = index[g.x];
    if (bin >= arrayLength(&bins)) { return; }
    atomicAdd(&bins[bin], i32(round(contribution[g.x] * SCALE)));
}
