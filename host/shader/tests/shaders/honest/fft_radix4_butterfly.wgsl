// entry: main, constants:
// radix-4 butterflies over an array of complex numbers
@group(0) @binding(0) var<storage, read_write> z: array<vec2f>;
@group(0) @binding(1) var<uniform> quarter: u32;
fn rotate(c: vec2f) -> vec2f { return vec2f(c.y, -c.x); }
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    let block = g.x / quarter;
    let i = block * quarter * 4u + g.x % quarter;
    if i + 3u * quarter >= arrayLength(&z) { return; }
    var q: array<vec2f, 4>;
    for (var k = 0u; k < 4u; k++) {
        let a = -6.2831853 * f32(k * (g.x % quarter)) / f32(4u * quarter);
        let c = z[i + k * quarter];
        q[k] = vec2f(c.x * cos(a) - c.y * sin(a), c.x * sin(a) + c.y * cos(a));
    }
    let s = q[0] + q[2];
    let d = q[0] - q[2];
    let t = q[1] + q[3];
    let r = rotate(q[1] - q[3]);
    z[i] = s + t;
    z[i + quarter] = d + r;
    z[i + 2u * quarter] = s - t;
    z[i + 3u * quarter] = d - r;
}
