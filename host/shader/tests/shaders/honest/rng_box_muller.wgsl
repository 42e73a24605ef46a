// entry: main, constants:
// normal deviates by Box and Muller from a hash of the index
@group(0) @binding(0) var<storage, read_write> normals: array<vec2f>;
fn wang(seed: u32) -> u32 {
    var x = (seed ^ 61u) ^ (seed >> 16u);
    x *= 9u;
    x = x ^ (x >> 4u);
    x *= 0x27d4eb2du;
    return x ^ (x >> 15u);
}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= arrayLength(&normals) { return; }
    let a = f32(wang(2u * g.x) | 1u) / 4294967296.0;
    let b = f32(wang(2u * g.x + 1u)) / 4294967296.0;
    normals[g.x] = sqrt(-2.0 * log(a)) * vec2f(cos(6.2831853 * b), sin(6.2831853 * b));
}
