// entry: main, expect: clamped, unchecked: ends, workgroups: 1 1 1, fuel: 1000000, allowed: 0 64 128 1 2
// atomics far outside of their array
@group(0) @binding(0) var<storage, read_write> out: array<atomic<u32>>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) t: u32) {
    atomicAdd(&out[(t + 1u) * 0x01000001u], 1u);
    atomicAdd(&out[arrayLength(&out) + t * 64u], 1u);
}
