// entry: main, constants:
// eccentric anomaly from mean anomaly by Halley's method
@group(0) @binding(0) var<storage, read> orbit: array<vec2f>; // mean anomaly, eccentricity
@group(0) @binding(1) var<storage, read_write> anomaly: array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    let i = g.x;
    if i >= arrayLength(&anomaly) { return; }
    let mean = orbit[i].x;
    let e = orbit[i].y;
    var E = mean + e * sin(mean);
    var delta = 1.0;
    var iterations = 0u;
    while abs(delta) > 1e-6 {
        let f = E - e * sin(E) - mean;
        let f1 = 1.0 - e * cos(E);
        let f2 = e * sin(E);
        delta = f / (f1 - 0.5 * f * f2 / f1);
        E -= delta;
        iterations += 1u;
        if iterations == 20u { break; }
    }
    anomaly[i] = E;
}
