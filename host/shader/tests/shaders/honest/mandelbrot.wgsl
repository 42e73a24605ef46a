// entry: main, constants:
// escape times with a loop that ends early
struct View { centre: vec2f, scale: f32, limit: u32, size: vec2u }
@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var<storage, read_write> count: array<u32>;
@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
    if (id.x >= view.size.x || id.y >= view.size.y) { return; }
    let c = view.centre + (vec2f(id.xy) - 0.5 * vec2f(view.size)) * view.scale;
    var z = vec2f(0.0);
    var i = 0u;
    while (i < view.limit && dot(z, z) < 4.0) {
        z = vec2f(z.x * z.x - z.y * z.y, 2.0 * z.x * z.y) + c;
        i++;
    }
    count[id.y * view.size.x + id.x] = i;
}
