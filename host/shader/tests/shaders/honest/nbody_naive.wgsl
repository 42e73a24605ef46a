// entry: main, constants:
// all-pairs gravity straight from storage
struct Body { position: vec3f, mass: f32, velocity: vec3f, pad: f32 }
@group(0) @binding(0) var<storage, read> bodies: array<Body>;
@group(0) @binding(1) var<storage, read_write> acceleration: array<vec3f>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    let n = arrayLength(&bodies);
    if g.x >= n { return; }
    let me = bodies[g.x].position;
    var a = vec3f();
    for (var j = 0u; j < n; j++) {
        if j == g.x { continue; }
        let d = bodies[j].position - me;
        let inv = inverseSqrt(dot(d, d) + 1e-4);
        a += d * (bodies[j].mass * inv * inv * inv);
    }
    acceleration[g.x] = a;
}
