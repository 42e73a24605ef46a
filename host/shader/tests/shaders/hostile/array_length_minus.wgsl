// entry: main, expect: clamped, unchecked: ends, workgroups: 1 1 1, fuel: 1000000, allowed: 0 7
// an array length used as if the array were longer
struct Tail { head: array<u32, 60>, rest: array<vec4u> }
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<storage, read> src: Tail;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) t: u32) {
    let n = arrayLength(&src.rest);
    out[t] = src.rest[n + t].w;
    out[t + 64u] = src.rest[n * 16u].x;
    out[t + 128u] = src.head[n * 5u + t];
}
