// entry: main, constants:
// which cube root of one Newton's iteration reaches, `while err > eps && i < 100`
@group(0) @binding(0) var<storage, read_write> basin: array<u32>;
@group(0) @binding(1) var<uniform> width: u32;
fn csquare(z: vec2f) -> vec2f { return vec2f(z.x * z.x - z.y * z.y, 2.0 * z.x * z.y); }
fn cdiv(a: vec2f, b: vec2f) -> vec2f { return vec2f(dot(a, b), a.y * b.x - a.x * b.y) / dot(b, b); }
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= arrayLength(&basin) { return; }
    var z = vec2f(f32(id.x % width), f32(id.x / width)) / f32(width) * 4.0 - 2.0;
    var err = 1.0;
    var i = 0;
    while (err > 1e-5 && i < 100) {
        let z2 = csquare(z);
        let z3 = vec2f(z.x * z2.x - z.y * z2.y, z.x * z2.y + z.y * z2.x);
        let dz = cdiv(z3 - vec2f(1.0, 0.0), 3.0 * z2);
        z -= dz;
        err = length(dz);
        i += 1;
    }
    var which = 0u;
    if z.x < 0.0 { which = select(1u, 2u, z.y < 0.0); }
    basin[id.x] = which;
}
