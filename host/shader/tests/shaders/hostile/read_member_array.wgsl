// entry: main, expect: clamped, unchecked: ends, workgroups: 1 1 1, fuel: 1000000, allowed: 0 7
// an array that is a struct's member, with other members behind it
struct Inner { small: array<u32, 3>, secret: u32 }
struct Outer { head: u32, inner: array<Inner, 2>, tail: u32 }
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<storage, read> src: Outer;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) t: u32) {
    out[t] = src.inner[t * 77u].small[t * 1000003u];
}
