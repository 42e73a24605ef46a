// entry: main, expect: clamped, unchecked: ends, workgroups: 8 1 1, fuel: 100000000, allowed: 0
// reads private and function memory that nobody wrote
var<private> p: array<u32, 64>;
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
fn look() -> u32 {
    var a: array<u32, 64>;
    var seen = 0u;
    for (var i = 0u; i < 64u; i++) { seen |= a[i] | p[i]; }
    for (var i = 0u; i < 64u; i++) { a[i] = 0xbeefu; }
    return seen;
}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    let first = look();
    out[g.x] = first | look();
}
