// entry: main, constants:
// expands nibbles with a scale and a minimum for each block
struct Block { scale: f32, least: f32, nibbles: array<u32, 4> }
@group(0) @binding(0) var<storage, read> blocks: array<Block>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
@compute @workgroup_size(32)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(local_invocation_index) t: u32) {
    if w.x >= arrayLength(&blocks) { return; }
    let word = blocks[w.x].nibbles[t / 8u];
    let nibble = (word >> ((t % 8u) * 4u)) & 0xfu;
    out[w.x * 32u + t] = blocks[w.x].least + blocks[w.x].scale * f32(nibble);
}
