// entry: main, expect: clamped, unchecked: ends, workgroups: 1 1 1, fuel: 1000000, allowed: 0 1
// reads past the end of an array on the stack
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<storage, read> src: array<u32>;
@compute @workgroup_size(16)
fn main(@builtin(local_invocation_index) t: u32) {
    var a: array<u32, 8>;
    for (var i = 0u; i < 8u; i++) { a[i] = 1u; }
    out[t] = a[src[0] * 1000u + t * 65537u];
    out[t + 16u] = a[-1 - i32(t)];
}
