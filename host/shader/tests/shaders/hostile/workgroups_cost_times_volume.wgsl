// entry: main, expect: limit gpu_fuel, unchecked: timeout, workgroups: 60000 60 1, fuel: 1000000
// a cheap kernel over more invocations than its fuel pays
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) g: vec3u) { out[g.x & 63u] = g.x * 3u + 1u; }
