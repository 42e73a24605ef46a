// entry: main, constants:
// spring forces and Verlet step of a cloth on a grid
struct Cloth { size: vec2u, rest: f32, stiffness: f32, dt: f32 }
@group(0) @binding(0) var<uniform> cloth: Cloth;
@group(0) @binding(1) var<storage, read> now: array<vec4f>;
@group(0) @binding(2) var<storage, read> before: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> after: array<vec4f>;
const OFFSETS = array<vec2i, 8>(
    vec2i(1, 0), vec2i(-1, 0), vec2i(0, 1), vec2i(0, -1),
    vec2i(1, 1), vec2i(-1, 1), vec2i(1, -1), vec2i(-1, -1),
);
@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
    if any(id.xy >= cloth.size) { return; }
    let i = id.y * cloth.size.x + id.x;
    if id.y == 0u {
        after[i] = now[i];
        return;
    }
    var force = vec3f(0.0, -9.81, 0.0);
    var offsets = OFFSETS;
    for (var k = 0; k < 8; k++) {
        let q = vec2i(id.xy) + offsets[k];
        if any(q < vec2i(0)) || any(q >= vec2i(cloth.size)) { continue; }
        let d = now[u32(q.y) * cloth.size.x + u32(q.x)].xyz - now[i].xyz;
        let rest = cloth.rest * length(vec2f(offsets[k]));
        force += cloth.stiffness * (length(d) - rest) * normalize(d);
    }
    after[i] = vec4f(2.0 * now[i].xyz - before[i].xyz * 0.99 + force * cloth.dt * cloth.dt, 1.0);
}
