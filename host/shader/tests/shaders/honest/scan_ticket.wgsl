// entry: main, constants:
// blocks take tickets in order and read their predecessor's total with a bounded look-back
struct Status { flag: atomic<u32>, total: atomic<u32> }
@group(0) @binding(0) var<storage, read_write> ticket: atomic<u32>;
@group(0) @binding(1) var<storage, read_write> status: array<Status>;
@group(0) @binding(2) var<storage, read_write> data: array<u32>;
var<workgroup> my_block: u32;
var<workgroup> sums: array<u32, 128>;
@compute @workgroup_size(128)
fn main(@builtin(local_invocation_index) lane: u32) {
    if lane == 0u { my_block = atomicAdd(&ticket, 1u); }
    let block = workgroupUniformLoad(&my_block);
    sums[lane] = data[block * 128u + lane];
    workgroupBarrier();
    for (var d = 1u; d < 128u; d = d * 2u) {
        let add = select(0u, sums[lane - min(d, lane)], lane >= d);
        workgroupBarrier();
        sums[lane] += add;
        workgroupBarrier();
    }
    if lane == 127u {
        atomicStore(&status[block].total, sums[127]);
        atomicStore(&status[block].flag, 1u);
    }
    var before = 0u;
    if block > 0u {
        for (var b = i32(block) - 1; b >= max(0, i32(block) - 32); b--) {
            if atomicLoad(&status[b].flag) == 0u { break; }
            before += atomicLoad(&status[b].total);
        }
    }
    data[block * 128u + lane] = before + sums[lane];
}
