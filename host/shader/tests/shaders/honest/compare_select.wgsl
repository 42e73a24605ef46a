// entry: main, constants:
// element-wise maximum by select, counting how often the left side won
@group(0) @binding(0) var<storage, read> lhs: array<i32>;
@group(0) @binding(1) var<storage, read> rhs: array<i32>;
@group(0) @binding(2) var<storage, read_write> best: array<i32>;
@group(0) @binding(3) var<storage, read_write> wins: atomic<u32>;
@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) gid: vec3u) {
    let i = gid.x;
    if i >= arrayLength(&best) { return; }
    let left_wins = lhs[i] > rhs[i];
    best[i] = select(rhs[i], lhs[i], left_wins);
    if left_wins { atomicAdd(&wins, 1u); }
}
