// entry: main, constants:
// sphere tracing of a small scene with normals and soft shadow
struct Camera { eye: vec3f, fov: f32, size: vec2u, time: f32 }
@group(0) @binding(0) var<uniform> camera: Camera;
@group(0) @binding(1) var<storage, read_write> pixels: array<u32>;
fn sphere(p: vec3f, r: f32) -> f32 { return length(p) - r; }
fn box(p: vec3f, b: vec3f) -> f32 {
    let q = abs(p) - b;
    return length(max(q, vec3f(0.0))) + min(max(q.x, max(q.y, q.z)), 0.0);
}
fn scene(p: vec3f) -> f32 {
    let d = min(sphere(p - vec3f(0.0, 0.5 + 0.2 * sin(camera.time), 0.0), 0.5), box(p - vec3f(1.2, 0.3, 0.0), vec3f(0.3)));
    return min(d, p.y);
}
fn normal_at(p: vec3f) -> vec3f {
    let e = vec2f(0.001, 0.0);
    return normalize(vec3f(scene(p + e.xyy) - scene(p - e.xyy), scene(p + e.yxy) - scene(p - e.yxy), scene(p + e.yyx) - scene(p - e.yyx)));
}
fn march(origin: vec3f, direction: vec3f, furthest: f32) -> f32 {
    var t = 0.01;
    for (var i = 0; i < 96; i++) {
        let d = scene(origin + direction * t);
        if d < 0.0005 { return t; }
        t += d;
        if t > furthest { break; }
    }
    return furthest;
}
fn shadow(origin: vec3f, light: vec3f) -> f32 {
    var res = 1.0;
    var t = 0.02;
    while t < 8.0 {
        let h = scene(origin + light * t);
        if h < 0.001 { return 0.0; }
        res = min(res, 8.0 * h / t);
        t += clamp(h, 0.02, 0.25);
    }
    return res;
}
@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
    if any(id.xy >= camera.size) { return; }
    let uv = (2.0 * vec2f(id.xy) - vec2f(camera.size)) / f32(camera.size.y);
    let direction = normalize(vec3f(uv * camera.fov, -1.5));
    let t = march(camera.eye, direction, 20.0);
    var colour = vec3f(0.6, 0.7, 0.9);
    if t < 20.0 {
        let p = camera.eye + direction * t;
        let light = normalize(vec3f(0.6, 0.8, 0.4));
        colour = vec3f(0.8) * max(dot(normal_at(p), light), 0.0) * shadow(p, light) + 0.05;
    }
    pixels[id.y * camera.size.x + id.x] = pack4x8unorm(vec4f(colour, 1.0));
}
