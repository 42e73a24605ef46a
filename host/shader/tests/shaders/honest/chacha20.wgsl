// entry: main, constants:
// ChaCha20 key stream blocks
@group(0) @binding(0) var<storage, read> key: array<u32, 8>;
@group(0) @binding(1) var<storage, read_write> stream: array<u32>;
@group(0) @binding(2) var<uniform> nonce: vec4u;
fn rotl(v: u32, n: u32) -> u32 { return (v << n) | (v >> (32u - n)); }
fn quarter(s: ptr<function, array<u32, 16>>, a: u32, b: u32, c: u32, d: u32) {
    (*s)[a] += (*s)[b];
    (*s)[d] = rotl((*s)[d] ^ (*s)[a], 16u);
    (*s)[c] += (*s)[d];
    (*s)[b] = rotl((*s)[b] ^ (*s)[c], 12u);
    (*s)[a] += (*s)[b];
    (*s)[d] = rotl((*s)[d] ^ (*s)[a], 8u);
    (*s)[c] += (*s)[d];
    (*s)[b] = rotl((*s)[b] ^ (*s)[c], 7u);
}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x * 16u >= arrayLength(&stream) { return; }
    var s: array<u32, 16>;
    s[0] = 0x61707865u;
    s[1] = 0x3320646eu;
    s[2] = 0x79622d32u;
    s[3] = 0x6b206574u;
    for (var i = 0u; i < 8u; i++) { s[4u + i] = key[i]; }
    s[12] = g.x;
    s[13] = nonce.x;
    s[14] = nonce.y;
    s[15] = nonce.z;
    let start = s;
    for (var r = 0; r < 10; r++) {
        quarter(&s, 0u, 4u, 8u, 12u);
        quarter(&s, 1u, 5u, 9u, 13u);
        quarter(&s, 2u, 6u, 10u, 14u);
        quarter(&s, 3u, 7u, 11u, 15u);
        quarter(&s, 0u, 5u, 10u, 15u);
        quarter(&s, 1u, 6u, 11u, 12u);
        quarter(&s, 2u, 7u, 8u, 13u);
        quarter(&s, 3u, 4u, 9u, 14u);
    }
    for (var i = 0u; i < 16u; i++) { stream[g.x * 16u + i] = s[i] + start[i]; }
}
