// entry: main, constants:
// butterfly sum over a subgroup by shuffles
@group(0) @binding(0) var<storage, read_write> v: array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u, @builtin(subgroup_size) size: u32, @builtin(subgroup_invocation_id) lane: u32) {
    var s = v[g.x];
    for (var d = 1u; d < size; d <<= 1u) { s += subgroupShuffleXor(s, d); }
    if lane == 0u { v[g.x] = s; }
}
