// Blocks of 4096 elements, 16 in a row to an invocation: their sums, and their running sums from
// the end of the block before.

@group(0) @binding(0) var<storage, read_write> data: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> blocks: array<u32>;

const LANES = 256u;
const VECTORS = 4u;

var<workgroup> totals: array<u32, LANES>;

@compute @workgroup_size(LANES)
fn reduce(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let block = id.y * count.x + id.x;
    var total = vec4<u32>();
    for (var step = 0u; step < VECTORS; step++) {
        // The order is of no matter here, so neighbouring lanes read neighbouring memory.
        let i = (block * VECTORS + step) * LANES + lane;
        if i < arrayLength(&data) {
            total += data[i];
        }
    }
    totals[lane] = total.x + total.y + total.z + total.w;
    for (var level = 1u; level <= 8u; level++) {
        workgroupBarrier();
        let width = LANES >> level;
        if lane < width {
            totals[lane] += totals[lane + width];
        }
    }
    if lane == 0u && block < arrayLength(&blocks) {
        blocks[block] = totals[0];
    }
}

// `blocks` holds running sums by now.
@compute @workgroup_size(LANES)
fn scan(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let block = id.y * count.x + id.x;
    let first = (block * LANES + lane) * VECTORS;
    var sums = array<vec4<u32>, VECTORS>();
    var total = 0u;
    for (var step = 0u; step < VECTORS; step++) {
        let i = first + step;
        if i < arrayLength(&data) {
            var v = data[i];
            v.y += v.x;
            v.z += v.y;
            v.w += v.z;
            sums[step] = v + total;
            total += v.w;
        }
    }
    var before = running(lane, total) - total;
    if block > 0u {
        before += blocks[block - 1u];
    }
    for (var step = 0u; step < VECTORS; step++) {
        let i = first + step;
        if i < arrayLength(&data) {
            data[i] = sums[step] + before;
        }
    }
}

// The sum of the values of all lanes as far as this one: Hillis and Steele's doubling.
fn running(lane: u32, value: u32) -> u32 {
    var sum = value;
    for (var level = 0u; level < 8u; level++) {
        totals[lane] = sum;
        workgroupBarrier();
        let reach = 1u << level;
        if lane >= reach {
            sum += totals[lane - reach];
        }
        workgroupBarrier();
    }
    return sum;
}
