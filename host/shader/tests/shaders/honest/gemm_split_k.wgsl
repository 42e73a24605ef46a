// entry: main, constants:
// each z slice sums a part of the inner dimension into fixed point
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> c: array<atomic<i32>>;
struct Dims { m: u32, n: u32, k: u32, slice: u32 }
@group(0) @binding(3) var<uniform> dims: Dims;
@compute @workgroup_size(16, 4, 4)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= dims.n || g.y >= dims.m { return; }
    let first = g.z * dims.slice;
    let last = min(first + dims.slice, dims.k);
    var acc = 0.0;
    for (var k = first; k < last; k++) { acc += a[g.y * dims.k + k] * b[k * dims.n + g.x]; }
    atomicAdd(&c[g.y * dims.n + g.x], i32(acc * 1024.0));
}
