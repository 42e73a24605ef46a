// entry: main, constants:
// integrates rigid bodies with quaternion orientation
struct Rigid { position: vec3f, inverse_mass: f32, velocity: vec3f, pad0: f32, orientation: vec4f, spin: vec3f, pad1: f32 }
@group(0) @binding(0) var<storage, read_write> bodies: array<Rigid>;
@group(0) @binding(1) var<uniform> dt: f32;
fn quat_mul(a: vec4f, b: vec4f) -> vec4f {
    return vec4f(a.w * b.xyz + b.w * a.xyz + cross(a.xyz, b.xyz), a.w * b.w - dot(a.xyz, b.xyz));
}
fn integrate(body: ptr<function, Rigid>) {
    if (*body).inverse_mass == 0.0 { return; }
    (*body).velocity.y -= 9.81 * dt;
    (*body).position += (*body).velocity * dt;
    let w = vec4f((*body).spin, 0.0);
    (*body).orientation = normalize((*body).orientation + 0.5 * dt * quat_mul(w, (*body).orientation));
}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x < arrayLength(&bodies) {
        var body = bodies[g.x];
        integrate(&body);
        bodies[g.x] = body;
    }
}
