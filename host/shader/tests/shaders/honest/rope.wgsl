// entry: main, constants:
// rotary position embedding in place
@group(0) @binding(0) var<storage, read_write> x: array<vec2f>;
@group(0) @binding(1) var<uniform> shape: vec4u; // tokens, pairs, first position
@compute @workgroup_size(32, 4)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.y >= shape.x || g.x >= shape.y { return; }
    let angle = f32(g.y + shape.z) * pow(10000.0, -f32(g.x) / f32(shape.y));
    let at = g.y * shape.y + g.x;
    let p = x[at];
    x[at] = vec2f(p.x * cos(angle) - p.y * sin(angle), p.x * sin(angle) + p.y * cos(angle));
}
