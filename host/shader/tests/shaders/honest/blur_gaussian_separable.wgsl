// entry: horizontal vertical, constants:
// separable Gaussian, an entry point for each direction
const WEIGHTS = array<f32, 5>(0.227027, 0.1945946, 0.1216216, 0.054054, 0.016216);
@group(0) @binding(0) var<storage, read> src: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> dst: array<vec4f>;
@group(0) @binding(2) var<uniform> size: vec2i;
fn blur(p: vec2i, along: vec2i) {
    if any(p >= size) { return; }
    var sum = src[p.y * size.x + p.x] * WEIGHTS[0];
    for (var k = 1; k < 5; k++) {
        let a = clamp(p + along * k, vec2i(0), size - 1);
        let b = clamp(p - along * k, vec2i(0), size - 1);
        sum += (src[a.y * size.x + a.x] + src[b.y * size.x + b.x]) * WEIGHTS[k];
    }
    dst[p.y * size.x + p.x] = sum;
}
@compute @workgroup_size(64, 1)
fn horizontal(@builtin(global_invocation_id) g: vec3u) { blur(vec2i(g.xy), vec2i(1, 0)); }
@compute @workgroup_size(1, 64)
fn vertical(@builtin(global_invocation_id) g: vec3u) { blur(vec2i(g.xy), vec2i(0, 1)); }
