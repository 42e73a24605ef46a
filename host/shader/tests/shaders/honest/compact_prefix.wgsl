// entry: main, constants:
// stable compaction of a block by a prefix sum of flags
const N = 128u;
var<workgroup> flags: array<u32, N>;
@group(0) @binding(0) var<storage, read> input: array<u32>;
@group(0) @binding(1) var<storage, read> block_offset: array<u32>;
@group(0) @binding(2) var<storage, read_write> output: array<u32>;
fn predicate(v: u32) -> bool { return (v & 1u) == 0u; }
@compute @workgroup_size(N)
fn main(@builtin(local_invocation_index) t: u32, @builtin(workgroup_id) w: vec3u) {
    let v = input[w.x * N + t];
    let mine = u32(predicate(v));
    flags[t] = mine;
    workgroupBarrier();
    for (var d = 1u; d < N; d = d << 1u) {
        var left = 0u;
        if t >= d { left = flags[t - d]; }
        workgroupBarrier();
        flags[t] += left;
        workgroupBarrier();
    }
    if mine == 1u { output[block_offset[w.x] + flags[t] - 1u] = v; }
}
