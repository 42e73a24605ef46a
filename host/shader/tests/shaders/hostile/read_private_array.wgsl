// entry: main, expect: clamped, unchecked: ends, workgroups: 1 1 1, fuel: 1000000, allowed: 0 1
// reads past the end of an array in private memory
var<private> a: array<u32, 8> = array<u32, 8>(1, 1, 1, 1, 1, 1, 1, 1);
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<storage, read> src: array<u32>;
@compute @workgroup_size(16)
fn main(@builtin(local_invocation_index) t: u32) {
    out[t] = a[src[0] * (t + 1000u)];
}
