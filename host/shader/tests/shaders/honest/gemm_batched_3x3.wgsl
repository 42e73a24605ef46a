// entry: main, constants:
// products of many small matrices in matrix types
@group(0) @binding(0) var<storage, read> a: array<mat3x3<f32>>;
@group(0) @binding(1) var<storage, read> b: array<mat3x3<f32>>;
@group(0) @binding(2) var<storage, read_write> c: array<mat3x3<f32>>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) i: vec3u) {
    if i.x < arrayLength(&c) { c[i.x] = a[i.x] * b[i.x]; }
}
