// entry: main, constants:
// keeps the elements that pass a test, order not kept
@group(0) @binding(0) var<storage, read> values: array<f32>;
@group(0) @binding(1) var<storage, read_write> kept: array<f32>;
@group(0) @binding(2) var<storage, read_write> length_kept: atomic<u32>;
@group(0) @binding(3) var<uniform> threshold: f32;
var<workgroup> group_count: atomic<u32>;
var<workgroup> group_base: u32;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u, @builtin(local_invocation_index) t: u32) {
    let keep = g.x < arrayLength(&values) && values[g.x] > threshold;
    var place = 0u;
    if keep { place = atomicAdd(&group_count, 1u); }
    workgroupBarrier();
    if t == 0u { group_base = atomicAdd(&length_kept, atomicLoad(&group_count)); }
    workgroupBarrier();
    if keep { kept[group_base + place] = values[g.x]; }
}
