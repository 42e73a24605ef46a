// entry: main, constants:
// ray casting with mirror bounces over a list of spheres
struct Sphere { centre: vec3f, radius: f32, colour: vec3f, mirror: f32 }
struct Hit { t: f32, index: i32 }
@group(0) @binding(0) var<storage, read> spheres: array<Sphere>;
@group(0) @binding(1) var<storage, read_write> image: array<vec4f>;
@group(0) @binding(2) var<uniform> size: vec2u;
fn nearest(o: vec3f, d: vec3f) -> Hit {
    var hit = Hit(1e30, -1);
    for (var s = 0u; s < arrayLength(&spheres); s++) {
        let oc = o - spheres[s].centre;
        let b = dot(oc, d);
        let disc = b * b - dot(oc, oc) + spheres[s].radius * spheres[s].radius;
        if disc < 0.0 { continue; }
        let t = -b - sqrt(disc);
        if t > 1e-3 && t < hit.t { hit = Hit(t, i32(s)); }
    }
    return hit;
}
@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= size.x || id.y >= size.y { return; }
    var o = vec3f(0.0, 0.0, 5.0);
    var d = normalize(vec3f((vec2f(id.xy) / vec2f(size) - 0.5) * 2.0, -1.0));
    var light = vec3f(0.0);
    var through = vec3f(1.0);
    for (var bounce = 0; bounce < 4; bounce++) {
        let hit = nearest(o, d);
        if hit.index < 0 {
            light += through * (0.5 + 0.5 * d.y);
            break;
        }
        let s = spheres[hit.index];
        let p = o + d * hit.t;
        let n = (p - s.centre) / s.radius;
        light += through * s.colour * (1.0 - s.mirror) * max(dot(n, vec3f(0.577)), 0.0);
        through *= s.mirror;
        o = p + n * 1e-3;
        d = reflect(d, n);
    }
    image[id.y * size.x + id.x] = vec4f(light, 1.0);
}
