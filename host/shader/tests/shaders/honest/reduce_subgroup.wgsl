// entry: main, constants:
// sum by subgroupAdd, then by the first subgroup over the partial sums
@group(0) @binding(0) var<storage, read> input: array<f32>;
@group(0) @binding(1) var<storage, read_write> output: array<f32>;
var<workgroup> partial: array<f32, 64>;
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) gid: vec3u,
        @builtin(workgroup_id) wid: vec3u,
        @builtin(local_invocation_index) lix: u32,
        @builtin(subgroup_size) width: u32,
        @builtin(subgroup_invocation_id) lane: u32) {
    let value = select(0.0, input[gid.x], gid.x < arrayLength(&input));
    let sum = subgroupAdd(value);
    if lane == 0u { partial[lix / width] = sum; }
    workgroupBarrier();
    if lix == 0u {
        var total = 0.0;
        for (var k = 0u; k < 256u / width; k++) { total += partial[k]; }
        output[wid.x] = total;
    }
}
