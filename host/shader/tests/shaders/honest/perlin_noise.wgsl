// entry: main, constants:
// fractal gradient noise with a permutation in a constant
const PERM = array<u32, 16>(5, 11, 2, 14, 8, 0, 13, 7, 10, 3, 15, 6, 1, 12, 9, 4);
@group(0) @binding(0) var<storage, read_write> height: array<f32>;
override OCTAVES: i32 = 5;
fn hash(p: vec2i) -> u32 {
    let a = PERM[u32(p.x) & 15u];
    return PERM[(a + u32(p.y)) & 15u];
}
fn gradient(h: u32, d: vec2f) -> f32 {
    switch h & 3u {
        case 0u: { return d.x + d.y; }
        case 1u: { return -d.x + d.y; }
        case 2u: { return d.x - d.y; }
        default: { return -d.x - d.y; }
    }
}
fn noise(p: vec2f) -> f32 {
    let i = vec2i(floor(p));
    let f = fract(p);
    let u = f * f * f * (f * (f * 6.0 - 15.0) + 10.0);
    let a = gradient(hash(i), f);
    let b = gradient(hash(i + vec2i(1, 0)), f - vec2f(1.0, 0.0));
    let c = gradient(hash(i + vec2i(0, 1)), f - vec2f(0.0, 1.0));
    let d = gradient(hash(i + 1), f - 1.0);
    return mix(mix(a, b, u.x), mix(c, d, u.x), u.y);
}
@compute @workgroup_size(16, 16)
fn main(@builtin(global_invocation_id) g: vec3u, @builtin(num_workgroups) n: vec3u) {
    var p = vec2f(g.xy) / 32.0;
    var sum = 0.0;
    var amplitude = 0.5;
    for (var o = 0; o < OCTAVES; o++) {
        sum += amplitude * noise(p);
        p *= 2.03;
        amplitude *= 0.5;
    }
    height[g.y * n.x * 16u + g.x] = sum;
}
