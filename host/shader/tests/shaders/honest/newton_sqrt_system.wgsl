// entry: main, constants:
// Newton's method for a 2x2 nonlinear system until the residual is small
@group(0) @binding(0) var<storage, read_write> guess: array<vec2f>;
@group(0) @binding(1) var<storage, read> target_value: array<vec2f>;
const EPS = 1e-6;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= arrayLength(&guess) { return; }
    var x = guess[g.x];
    let t = target_value[g.x];
    var residual = 1.0;
    for (var i = 0u; residual > EPS && i < 50u; i++) {
        let f = vec2f(x.x * x.x + x.y - t.x, x.x + x.y * x.y - t.y);
        let det = 4.0 * x.x * x.y - 1.0;
        if abs(det) < 1e-9 { break; }
        x -= vec2f(2.0 * x.y * f.x - f.y, 2.0 * x.x * f.y - f.x) / det;
        residual = max(abs(f.x), abs(f.y));
    }
    guess[g.x] = x;
}
