// entry: main, expect: fuel, unchecked: ends or timeout, workgroups: 4 1 1, fuel: 500000
// while (true), in every invocation of several workgroups
@group(0) @binding(0) var<storage, read_write> out: array<atomic<u32>>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    while (true) { atomicAdd(&out[g.x], 1u); }
}
