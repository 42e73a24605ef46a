// entry: main, constants:
// compaction by subgroup ballots
@group(0) @binding(0) var<storage, read> input: array<i32>;
@group(0) @binding(1) var<storage, read_write> output: array<i32>;
@group(0) @binding(2) var<storage, read_write> total: atomic<u32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
    let v = input[g.x];
    let keep = v >= 0;
    let votes = subgroupBallot(keep);
    let rank = subgroupExclusiveAdd(u32(keep));
    let count = countOneBits(votes.x) + countOneBits(votes.y) + countOneBits(votes.z) + countOneBits(votes.w);
    var base = 0u;
    if lane == 0u { base = atomicAdd(&total, count); }
    base = subgroupBroadcastFirst(base);
    if keep { output[base + rank] = v; }
}
