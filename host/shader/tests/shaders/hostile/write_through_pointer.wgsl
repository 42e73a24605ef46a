// entry: main, expect: clamped, unchecked: ends, workgroups: 1 1 1, fuel: 1000000, allowed: 0 9
// writes out of range through a pointer that a function was given
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
fn poke(a: ptr<function, array<u32, 8>>, i: u32) { (*a)[i] = 9u; }
@compute @workgroup_size(16)
fn main(@builtin(local_invocation_index) t: u32) {
    var a: array<u32, 8>;
    poke(&a, t * 1000000u + 8u);
    out[t] = a[t & 7u];
}
