// entry: main, constants:
// grid step of the material point method: gravity and walls
struct Node { mass: i32, mx: i32, my: i32 }
@group(0) @binding(0) var<storage, read> raw: array<Node>;
@group(0) @binding(1) var<storage, read_write> velocity: array<vec2f>;
override N: u32 = 128u;
override DT: f32 = 2e-4;
@compute @workgroup_size(16, 16)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= N || g.y >= N { return; }
    let k = g.y * N + g.x;
    var v = vec2f(0.0);
    if raw[k].mass > 0 {
        v = vec2f(f32(raw[k].mx), f32(raw[k].my)) / f32(raw[k].mass);
        v.y -= DT * 9.8;
        if g.x < 3u && v.x < 0.0 { v.x = 0.0; }
        if g.x > N - 3u && v.x > 0.0 { v.x = 0.0; }
        if g.y < 3u && v.y < 0.0 { v.y = 0.0; }
        if g.y > N - 3u && v.y > 0.0 { v.y = 0.0; }
    }
    velocity[k] = v;
}
