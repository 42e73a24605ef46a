// entry: main, constants:
// image resize with bilinear weights
struct Resize { source: vec2u, dest: vec2u }
@group(0) @binding(0) var<uniform> r: Resize;
@group(0) @binding(1) var<storage, read> src: array<f32>;
@group(0) @binding(2) var<storage, read_write> dst: array<f32>;
@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if any(g.xy >= r.dest) { return; }
    let p = (vec2f(g.xy) + 0.5) * vec2f(r.source) / vec2f(r.dest) - 0.5;
    let base = floor(p);
    let t = p - base;
    let most = vec2i(r.source) - 1;
    let a = vec2u(clamp(vec2i(base), vec2i(0), most));
    let b = vec2u(clamp(vec2i(base) + 1, vec2i(0), most));
    let top = mix(src[a.y * r.source.x + a.x], src[a.y * r.source.x + b.x], t.x);
    let bottom = mix(src[b.y * r.source.x + a.x], src[b.y * r.source.x + b.x], t.x);
    dst[g.y * r.dest.x + g.x] = mix(top, bottom, t.y);
}
