// entry: main, expect: clamped, unchecked: ends, workgroups: 1 1 1, fuel: 1000000, allowed: 0 1
// indexes a constant array by a hostile number
const A = array<u32, 4>(1, 1, 1, 1);
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<storage, read> src: array<u32>;
@compute @workgroup_size(16)
fn main(@builtin(local_invocation_index) t: u32) {
    out[t] = A[src[t] * 1000000u + t];
}
