// entry: main, expect: clamped, unchecked: ends, workgroups: 1 1 1, fuel: 1000000, allowed: 0 7
// a component of a vector by a hostile number
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<storage, read> src: array<vec3u, 2>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) t: u32) {
    out[t] = src[t * 99u][t * 12345u];
}
