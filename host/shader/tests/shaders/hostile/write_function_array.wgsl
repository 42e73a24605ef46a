// entry: main, expect: clamped, unchecked: ends, workgroups: 1 1 1, fuel: 1000000, allowed: 3 0
// writes past the end of an array on the stack beside another
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<storage, read> src: array<u32>;
@compute @workgroup_size(16)
fn main(@builtin(local_invocation_index) t: u32) {
    var before = array<u32, 4>(3u, 3u, 3u, 3u);
    var a: array<u32, 4>;
    var after = array<u32, 4>(3u, 3u, 3u, 3u);
    a[src[0] * 100000u + t] = 9u;
    a[-1 - i32(t)] = 9u;
    out[t] = before[src[1] & 3u];
    out[t + 16u] = after[src[2] & 3u];
}
