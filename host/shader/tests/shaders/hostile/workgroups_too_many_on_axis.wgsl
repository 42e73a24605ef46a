// entry: main, expect: refused, unchecked: any, workgroups: 4294967295 1 1, fuel: 10000000000, by: session
// more workgroups along an axis than a device takes
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(1)
fn main(@builtin(global_invocation_id) g: vec3u) { out[g.x & 63u] = 1u; }
