// entry: main, expect: clamped, unchecked: ends, workgroups: 1 1 1, fuel: 1000000, allowed: 0 3 9
// writes past the end of workgroup memory beside another variable
var<workgroup> s: array<u32, 16>;
var<workgroup> neighbour: array<u32, 16>;
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(16)
fn main(@builtin(local_invocation_index) t: u32) {
    neighbour[t] = 3u;
    workgroupBarrier();
    s[t + 16u + out[0]] = 9u;
    workgroupBarrier();
    out[t] = select(0u, 3u, neighbour[t] == 3u);
}
