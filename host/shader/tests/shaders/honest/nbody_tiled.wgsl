// entry: main, constants:
// gravity with bodies staged in workgroup memory, barriers in a loop bounded by a uniform
const P = 64u;
struct Params { count: u32, dt: f32, softening: f32 }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> old: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> new_pos: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> vel: array<vec4f>;
var<workgroup> tile: array<vec4f, P>;
fn pull(on: vec3f, body: vec4f) -> vec3f {
    let r = body.xyz - on;
    let d2 = dot(r, r) + params.softening;
    return r * (body.w / (d2 * sqrt(d2)));
}
@compute @workgroup_size(P)
fn main(@builtin(global_invocation_id) g: vec3u, @builtin(local_invocation_id) l: vec3u) {
    let alive = g.x < params.count;
    var here = vec4f();
    if alive { here = old[g.x]; }
    var acc = vec3f();
    for (var first = 0u; first < params.count; first += P) {
        let j = first + l.x;
        if j < params.count { tile[l.x] = old[j]; } else { tile[l.x] = vec4f(); }
        workgroupBarrier();
        for (var k = 0u; k < P; k++) { acc += pull(here.xyz, tile[k]); }
        workgroupBarrier();
    }
    if !alive { return; }
    let v = vel[g.x].xyz + acc * params.dt;
    vel[g.x] = vec4f(v, 0.0);
    new_pos[g.x] = vec4f(here.xyz + v * params.dt, here.w);
}
