// entry: main, constants:
// LU factors of 4x4 matrices with partial pivoting
@group(0) @binding(0) var<storage, read_write> matrices: array<array<array<f32, 4>, 4>>;
@group(0) @binding(1) var<storage, read_write> pivots: array<vec4u>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= arrayLength(&matrices) { return; }
    var a = matrices[g.x];
    var p = vec4u(0u, 1u, 2u, 3u);
    for (var k = 0u; k < 4u; k++) {
        var best = k;
        for (var i = k + 1u; i < 4u; i++) { if abs(a[i][k]) > abs(a[best][k]) { best = i; } }
        if best != k {
            let row = a[k];
            a[k] = a[best];
            a[best] = row;
            let held = p[k];
            p[k] = p[best];
            p[best] = held;
        }
        if a[k][k] == 0.0 { continue; }
        for (var i = k + 1u; i < 4u; i++) {
            a[i][k] /= a[k][k];
            for (var j = k + 1u; j < 4u; j++) { a[i][j] -= a[i][k] * a[k][j]; }
        }
    }
    matrices[g.x] = a;
    pivots[g.x] = p;
}
