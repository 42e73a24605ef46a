// entry: main, constants: STEPS=100
// fourth-order Runge-Kutta of many double pendulums
override STEPS: u32 = 10u;
@group(0) @binding(0) var<storage, read_write> state: array<vec4f>;
@group(0) @binding(1) var<uniform> h: f32;
fn derivative(s: vec4f) -> vec4f {
    let d = s.x - s.y;
    let den = 3.0 - cos(2.0 * d);
    let a1 = (-29.43 * sin(s.x) - 9.81 * sin(s.x - 2.0 * s.y) - 2.0 * sin(d) * (s.w * s.w + s.z * s.z * cos(d))) / den;
    let a2 = 2.0 * sin(d) * (2.0 * s.z * s.z + 19.62 * cos(s.x) + s.w * s.w * cos(d)) / den;
    return vec4f(s.zw, a1, a2);
}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= arrayLength(&state) { return; }
    var s = state[g.x];
    for (var step: u32 = 0; step < STEPS; step += 1u) {
        let k1 = derivative(s);
        let k2 = derivative(s + 0.5 * h * k1);
        let k3 = derivative(s + 0.5 * h * k2);
        let k4 = derivative(s + h * k3);
        s += h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4);
    }
    state[g.x] = s;
}
