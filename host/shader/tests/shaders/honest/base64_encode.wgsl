// entry: main, constants:
// three bytes to four letters
@group(0) @binding(0) var<storage, read> bytes: array<u32>;
@group(0) @binding(1) var<storage, read_write> letters: array<u32>;
fn letter(v: u32) -> u32 {
    if v < 26u { return v + 65u; }
    if v < 52u { return v + 71u; }
    if v < 62u { return v - 4u; }
    return select(47u, 43u, v == 62u);
}
fn byte_at(i: u32) -> u32 { return (bytes[i >> 2u] >> ((i & 3u) << 3u)) & 0xffu; }
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= arrayLength(&letters) { return; }
    let b = (byte_at(3u * g.x) << 16u) | (byte_at(3u * g.x + 1u) << 8u) | byte_at(3u * g.x + 2u);
    letters[g.x] = letter(b >> 18u) | (letter((b >> 12u) & 63u) << 8u) | (letter((b >> 6u) & 63u) << 16u) | (letter(b & 63u) << 24u);
}
