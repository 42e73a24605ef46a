// entry: main, constants:
// integer product of packed bytes with dot4I8Packed
@group(0) @binding(0) var<storage, read> a: array<u32>;
@group(0) @binding(1) var<storage, read> b: array<u32>;
@group(0) @binding(2) var<storage, read_write> c: array<i32>;
struct Dims { m: u32, n: u32, k4: u32 }
@group(0) @binding(3) var<uniform> dims: Dims;
@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= dims.n || g.y >= dims.m { return; }
    var acc = 0i;
    for (var k = 0u; k < dims.k4; k++) {
        acc += dot4I8Packed(a[g.y * dims.k4 + k], b[g.x * dims.k4 + k]);
    }
    c[g.y * dims.n + g.x] = acc;
}
