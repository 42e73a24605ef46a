// entry: main, constants:
// erosion with a cross-shaped element, border counts as set
@group(0) @binding(0) var<storage, read> mask_in: array<u32>;
@group(0) @binding(1) var<storage, read_write> mask_out: array<u32>;
@group(0) @binding(2) var<uniform> shape: vec3i; // width, height, reach
fn set_at(p: vec2i) -> bool {
    if p.x < 0 || p.y < 0 || p.x >= shape.x || p.y >= shape.y { return true; }
    return mask_in[p.y * shape.x + p.x] != 0u;
}
@compute @workgroup_size(16, 16)
fn main(@builtin(global_invocation_id) g: vec3u) {
    let p = vec2i(g.xy);
    if p.x >= shape.x || p.y >= shape.y { return; }
    var keep = true;
    for (var d = -shape.z; keep && d <= shape.z; d++) {
        keep = set_at(p + vec2i(d, 0)) && set_at(p + vec2i(0, d));
    }
    mask_out[p.y * shape.x + p.x] = u32(keep);
}
