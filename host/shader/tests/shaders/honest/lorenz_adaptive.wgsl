// entry: main, constants:
// adaptive step of the Lorenz system, rejecting steps that err too much
@group(0) @binding(0) var<storage, read_write> points: array<vec4f>;
@group(0) @binding(1) var<uniform> t_end: f32;
fn flow(p: vec3f) -> vec3f {
    return vec3f(10.0 * (p.y - p.x), p.x * (28.0 - p.z) - p.y, p.x * p.y - 2.6666667 * p.z);
}
@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= arrayLength(&points) { return; }
    var p = points[g.x].xyz;
    var t = 0.0;
    var h = 0.01;
    while t < t_end {
        h = min(h, t_end - t);
        let k1 = flow(p);
        let k2 = flow(p + h * k1);
        let euler = p + h * k1;
        let heun = p + 0.5 * h * (k1 + k2);
        let err = length(heun - euler);
        if err > 1e-3 && h > 1e-5 {
            h *= 0.5;
            continue;
        }
        p = heun;
        t += max(h, 1e-6);
        if err < 1e-4 { h *= 1.5; }
    }
    points[g.x] = vec4f(p, t);
}
