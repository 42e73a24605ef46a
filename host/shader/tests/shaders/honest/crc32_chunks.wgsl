// entry: main, constants:
// CRC-32 of chunks, bit by bit
@group(0) @binding(0) var<storage, read> data: array<u32>;
@group(0) @binding(1) var<storage, read_write> crc: array<u32>;
override WORDS: u32 = 64u;
@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= arrayLength(&crc) { return; }
    var c = 0xffffffffu;
    for (var i = 0u; i < WORDS; i++) {
        c ^= data[g.x * WORDS + i];
        for (var b = 0u; b < 32u; b++) {
            c = (c >> 1u) ^ (0xedb88320u & (0u - (c & 1u)));
        }
    }
    crc[g.x] = ~c;
}
