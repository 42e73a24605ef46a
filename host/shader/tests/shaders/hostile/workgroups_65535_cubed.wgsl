// entry: main, expect: limit gpu_fuel, unchecked: any, workgroups: 65535 65535 65535, fuel: 10000000000
// as many workgroups as the interface can say
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) { out[g.x & 63u] = g.y ^ g.z; }
