// entry: main, constants:
// Morton codes of points scaled into a box
struct Box { lo: vec3f, hi: vec3f }
@group(0) @binding(0) var<uniform> box: Box;
@group(0) @binding(1) var<storage, read> points: array<vec3f>;
@group(0) @binding(2) var<storage, read_write> codes: array<u32>;
fn spread(v: u32) -> u32 {
    var x = v & 0x3ffu;
    x = (x | (x << 16u)) & 0x030000ffu;
    x = (x | (x << 8u)) & 0x0300f00fu;
    x = (x | (x << 4u)) & 0x030c30c3u;
    return (x | (x << 2u)) & 0x09249249u;
}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= arrayLength(&codes) { return; }
    let q = vec3u(clamp((points[g.x] - box.lo) / (box.hi - box.lo) * 1023.0, vec3f(0.0), vec3f(1023.0)));
    codes[g.x] = spread(q.x) | (spread(q.y) << 1u) | (spread(q.z) << 2u);
}
