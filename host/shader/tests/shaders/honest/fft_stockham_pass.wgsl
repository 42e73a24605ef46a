// entry: main, constants:
// one radix-2 Stockham pass between two buffers
struct Pass { n: u32, half_span: u32 }
@group(0) @binding(0) var<uniform> p: Pass;
@group(0) @binding(1) var<storage, read> src: array<vec2f>;
@group(0) @binding(2) var<storage, read_write> dst: array<vec2f>;
fn cmul(a: vec2f, b: vec2f) -> vec2f { return vec2f(a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x); }
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    let half_n = p.n / 2u;
    if g.x >= half_n { return; }
    let k = g.x & (p.half_span - 1u);
    let angle = -3.14159265 * f32(k) / f32(p.half_span);
    let a = src[g.x];
    let b = cmul(src[g.x + half_n], vec2f(cos(angle), sin(angle)));
    let to = ((g.x - k) << 1u) + k;
    dst[to] = a + b;
    dst[to + p.half_span] = a - b;
}
