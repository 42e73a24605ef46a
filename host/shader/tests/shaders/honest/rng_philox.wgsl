// entry: main, constants:
// counter-based Philox 4x32 with ten rounds and a widening multiply by halves
@group(0) @binding(0) var<storage, read_write> blocks: array<vec4u>;
@group(0) @binding(1) var<uniform> key: vec2u;
fn mulhi(a: u32, b: u32) -> u32 {
    let al = a & 0xffffu;
    let ah = a >> 16u;
    let bl = b & 0xffffu;
    let bh = b >> 16u;
    let m = ah * bl + ((al * bl) >> 16u);
    let n = al * bh + (m & 0xffffu);
    return ah * bh + (m >> 16u) + (n >> 16u);
}
@compute @workgroup_size(128)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= arrayLength(&blocks) { return; }
    var c = vec4u(g.x, 0u, 0u, 0u);
    var k = key;
    for (var round = 0; round < 10; round++) {
        let hi0 = mulhi(0xD2511F53u, c.x);
        let lo0 = 0xD2511F53u * c.x;
        let hi1 = mulhi(0xCD9E8D57u, c.z);
        let lo1 = 0xCD9E8D57u * c.z;
        c = vec4u(hi1 ^ c.y ^ k.x, lo1, hi0 ^ c.w ^ k.y, lo0);
        k += vec2u(0x9E3779B9u, 0xBB67AE85u);
    }
    blocks[g.x] = c;
}
