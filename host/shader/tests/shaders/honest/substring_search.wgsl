// entry: main, constants:
// naive pattern search reporting the first match by atomicMin
@group(0) @binding(0) var<storage, read> text: array<u32>;
@group(0) @binding(1) var<storage, read> pattern: array<u32>;
@group(0) @binding(2) var<storage, read_write> first: atomic<u32>;
@group(0) @binding(3) var<uniform> lengths: vec2u;
fn text_byte(i: u32) -> u32 { return (text[i / 4u] >> (8u * (i % 4u))) & 0xffu; }
fn pattern_byte(i: u32) -> u32 { return (pattern[i / 4u] >> (8u * (i % 4u))) & 0xffu; }
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x + lengths.y > lengths.x { return; }
    var i = 0u;
    while i < lengths.y && text_byte(g.x + i) == pattern_byte(i) { i++; }
    if i == lengths.y { atomicMin(&first, g.x); }
}
