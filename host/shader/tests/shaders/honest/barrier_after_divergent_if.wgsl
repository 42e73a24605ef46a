// entry: main, constants:
// different work on both sides of a branch, then a barrier for all
var<workgroup> box: array<f32, 64>;
@group(0) @binding(0) var<storage, read_write> d: array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) t: u32, @builtin(global_invocation_id) g: vec3u) {
    if t % 2u == 0u {
        box[t] = sin(d[g.x]);
    } else {
        box[t] = cos(d[g.x]);
    }
    workgroupBarrier();
    d[g.x] = box[t ^ 1u];
}
