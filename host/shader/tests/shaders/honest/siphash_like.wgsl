// entry: main, constants:
// keyed 32-bit mixing of variable-length records
struct Record { offset: u32, words: u32 }
@group(0) @binding(0) var<storage, read> records: array<Record>;
@group(0) @binding(1) var<storage, read> heap: array<u32>;
@group(0) @binding(2) var<storage, read_write> hashes: array<u32>;
@group(0) @binding(3) var<uniform> key: vec4u;
var<private> v: vec4u;
fn round() {
    v.x += v.y;
    v.y = ((v.y << 5u) | (v.y >> 27u)) ^ v.x;
    v.x = (v.x << 16u) | (v.x >> 16u);
    v.z += v.w;
    v.w = ((v.w << 8u) | (v.w >> 24u)) ^ v.z;
    v = v.zyxw;
}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= arrayLength(&records) { return; }
    v = key;
    let r = records[g.x];
    for (var i = 0u; i < r.words; i += 1u) {
        let m = heap[r.offset + i];
        v.w ^= m;
        round();
        round();
        v.x ^= m;
    }
    v.z ^= 0xffu;
    for (var i = 0; i < 4; i++) { round(); }
    hashes[g.x] = v.x ^ v.y ^ v.z ^ v.w;
}
