// entry: main, constants:
// RMS normalisation broadcasting the scale with workgroupUniformLoad
var<workgroup> squares: array<f32, 64>;
var<workgroup> scale: f32;
@group(0) @binding(0) var<storage, read_write> v: array<vec4f>;
@group(0) @binding(1) var<uniform> n4: u32;
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(local_invocation_index) t: u32) {
    var ss = 0.0;
    for (var i = t; i < n4; i += 64u) { let q = v[w.x * n4 + i]; ss += dot(q, q); }
    squares[t] = ss;
    workgroupBarrier();
    if t == 0u {
        var all_squares = 0.0;
        for (var i = 0u; i < 64u; i++) { all_squares += squares[i]; }
        scale = inverseSqrt(all_squares / f32(4u * n4) + 1e-5);
    }
    let k = workgroupUniformLoad(&scale);
    for (var i = t; i < n4; i += 64u) { v[w.x * n4 + i] *= k; }
}
