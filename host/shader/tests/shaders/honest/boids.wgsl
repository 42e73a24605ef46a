// entry: main, constants:
// flocking with cohesion, separation and alignment
struct Boid { pos: vec2<f32>, vel: vec2<f32> }
struct Rules { dt: f32, d1: f32, d2: f32, d3: f32, s1: f32, s2: f32, s3: f32 }
@group(0) @binding(0) var<uniform> rules: Rules;
@group(0) @binding(1) var<storage, read> before: array<Boid>;
@group(0) @binding(2) var<storage, read_write> after: array<Boid>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3<u32>) {
    let total = arrayLength(&before);
    let me = gid.x;
    if (me >= total) { return; }
    var p = before[me].pos;
    var v = before[me].vel;
    var centre = vec2<f32>(0.0, 0.0);
    var heading = vec2<f32>(0.0, 0.0);
    var away = vec2<f32>(0.0, 0.0);
    var seen: i32 = 0;
    var aligned: i32 = 0;
    var i: u32 = 0u;
    loop {
        if (i >= total) { break; }
        if (i == me) { i = i + 1u; continue; }
        let q = before[i];
        let dist = distance(q.pos, p);
        if (dist < rules.d1) { centre = centre + q.pos; seen = seen + 1; }
        if (dist < rules.d2) { away = away - (q.pos - p); }
        if (dist < rules.d3) { heading = heading + q.vel; aligned = aligned + 1; }
        i = i + 1u;
    }
    if (seen > 0) { centre = centre / f32(seen) - p; }
    if (aligned > 0) { heading = heading / f32(aligned); }
    v = v + centre * rules.s1 + away * rules.s2 + heading * rules.s3;
    v = normalize(v + vec2<f32>(1e-6, 0.0)) * clamp(length(v), 0.0, 0.1);
    p = fract((p + v * rules.dt) * 0.5 + 0.5) * 2.0 - 1.0;
    after[me].pos = p;
    after[me].vel = v;
}
