// entry: main, constants:
// exclusive scan with subgroup operations and one pass over subgroup totals
@group(0) @binding(0) var<storage, read_write> v: array<u32>;
var<workgroup> totals: array<u32, 128>;
@compute @workgroup_size(128)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(local_invocation_index) i: u32,
        @builtin(subgroup_size) sg_size: u32, @builtin(subgroup_invocation_id) sg_lane: u32) {
    let x = v[gid.x];
    let prefix = subgroupExclusiveAdd(x);
    let group = i / sg_size;
    if sg_lane == sg_size - 1u { totals[group] = prefix + x; }
    workgroupBarrier();
    var before = 0u;
    for (var g = 0u; g < group; g++) { before += totals[g]; }
    v[gid.x] = before + prefix;
}
