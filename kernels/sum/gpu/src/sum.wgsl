// The sums of blocks of 16384 elements: 16 vectors to an invocation, then a tree over the workgroup.

@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> sums: array<f32>;

const LANES = 256u;
const STEPS = 16u;

var<workgroup> totals: array<f32, LANES>;

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let group = id.y * count.x + id.x;
    var total = vec4<f32>();
    for (var step = 0u; step < STEPS; step++) {
        let i = (group * STEPS + step) * LANES + lane;
        if i < arrayLength(&x) {
            total += x[i];
        }
    }
    totals[lane] = (total.x + total.y) + (total.z + total.w);
    for (var level = 1u; level <= 8u; level++) {
        workgroupBarrier();
        let width = LANES >> level;
        if lane < width {
            totals[lane] += totals[lane + width];
        }
    }
    if lane == 0u && group < arrayLength(&sums) {
        sums[group] = totals[0];
    }
}
