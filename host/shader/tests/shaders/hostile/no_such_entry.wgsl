// entry: main, expect: refused no entry point, unchecked: any, workgroups: 1 1 1, fuel: 1000000
// the entry point that is asked for does not exist
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(1)
fn other() { out[0] = 1u; }
