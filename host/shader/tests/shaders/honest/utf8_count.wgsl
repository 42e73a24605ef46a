// entry: main, constants:
// counts code points of UTF-8 bytes packed in words
@group(0) @binding(0) var<storage, read> text: array<u32>;
@group(0) @binding(1) var<storage, read_write> count: atomic<u32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= arrayLength(&text) { return; }
    let w = text[g.x];
    var starts = 0u;
    for (var s = 0u; s < 32u; s += 8u) {
        starts += u32(((w >> s) & 0xc0u) != 0x80u);
    }
    atomicAdd(&count, starts);
}
