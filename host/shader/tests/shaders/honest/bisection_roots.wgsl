// entry: main, constants:
// bisects a bracketed root of a cubic for each set of coefficients
@group(0) @binding(0) var<storage, read> cubic: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> root: array<f32>;
fn evaluate(c: vec4f, x: f32) -> f32 { return ((c.x * x + c.y) * x + c.z) * x + c.w; }
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= arrayLength(&root) { return; }
    let c = cubic[g.x];
    var lo = -10.0;
    var hi = 10.0;
    let rising = evaluate(c, hi) > evaluate(c, lo);
    loop {
        let mid = 0.5 * (lo + hi);
        if (evaluate(c, mid) > 0.0) == rising { hi = mid; } else { lo = mid; }
        continuing { break if hi - lo < 1e-6; }
    }
    root[g.x] = 0.5 * (lo + hi);
}
