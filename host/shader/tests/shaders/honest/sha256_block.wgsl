// entry: main, constants:
// SHA-256 compression of one block an invocation
@group(0) @binding(0) var<storage, read> blocks: array<array<u32, 16>>;
@group(0) @binding(1) var<storage, read> round_key: array<u32, 64>;
@group(0) @binding(2) var<storage, read_write> digest: array<array<u32, 8>>;
fn rotr(x: u32, n: u32) -> u32 { return (x >> n) | (x << (32u - n)); }
fn ch(e: u32, f: u32, g: u32) -> u32 { return (e & f) ^ (~e & g); }
fn maj(a: u32, b: u32, c: u32) -> u32 { return (a & b) ^ (a & c) ^ (b & c); }
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3<u32>) {
    if (gid.x >= arrayLength(&blocks)) { return; }
    var w: array<u32, 64>;
    for (var i = 0u; i < 16u; i++) { w[i] = blocks[gid.x][i]; }
    for (var i = 16u; i < 64u; i++) {
        let s0 = rotr(w[i - 15u], 7u) ^ rotr(w[i - 15u], 18u) ^ (w[i - 15u] >> 3u);
        let s1 = rotr(w[i - 2u], 17u) ^ rotr(w[i - 2u], 19u) ^ (w[i - 2u] >> 10u);
        w[i] = w[i - 16u] + s0 + w[i - 7u] + s1;
    }
    var h = array<u32, 8>(0x6a09e667u, 0xbb67ae85u, 0x3c6ef372u, 0xa54ff53au, 0x510e527fu, 0x9b05688cu, 0x1f83d9abu, 0x5be0cd19u);
    var s = h;
    for (var i = 0u; i < 64u; i++) {
        let t1 = s[7] + (rotr(s[4], 6u) ^ rotr(s[4], 11u) ^ rotr(s[4], 25u)) + ch(s[4], s[5], s[6]) + round_key[i] + w[i];
        let t2 = (rotr(s[0], 2u) ^ rotr(s[0], 13u) ^ rotr(s[0], 22u)) + maj(s[0], s[1], s[2]);
        for (var k = 7u; k > 0u; k--) { s[k] = s[k - 1u]; }
        s[4] += t1;
        s[0] = t1 + t2;
    }
    for (var k = 0u; k < 8u; k++) { digest[gid.x][k] = h[k] + s[k]; }
}
