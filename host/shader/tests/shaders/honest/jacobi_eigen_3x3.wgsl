// entry: main, constants:
// eigenvalues of symmetric 3x3 matrices by Jacobi rotations
@group(0) @binding(0) var<storage, read> tensor: array<mat3x3f>;
@group(0) @binding(1) var<storage, read_write> eigen: array<vec3f>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= arrayLength(&eigen) { return; }
    var a = tensor[g.x];
    var off = 1.0;
    var sweeps = 0;
    while off > 1e-7 && sweeps < 12 {
        for (var p = 0u; p < 2u; p++) {
            for (var q = p + 1u; q < 3u; q++) {
                if abs(a[p][q]) < 1e-12 { continue; }
                let theta = 0.5 * atan2(2.0 * a[p][q], a[q][q] - a[p][p]);
                let c = cos(theta);
                let s = sin(theta);
                var r = mat3x3f(1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0);
                r[p][p] = c;
                r[q][q] = c;
                r[p][q] = -s;
                r[q][p] = s;
                a = transpose(r) * a * r;
            }
        }
        off = a[0][1] * a[0][1] + a[0][2] * a[0][2] + a[1][2] * a[1][2];
        sweeps++;
    }
    eigen[g.x] = vec3f(a[0][0], a[1][1], a[2][2]);
}
