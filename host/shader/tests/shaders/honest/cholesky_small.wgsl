// entry: main, constants:
// Cholesky factors of 6x6 matrices in private memory
const N = 6;
@group(0) @binding(0) var<storage, read_write> m: array<array<f32, 36>>;
@group(0) @binding(1) var<storage, read_write> failed: array<u32>;
@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= arrayLength(&m) { return; }
    var l: array<f32, 36>;
    for (var i = 0; i < N; i++) {
        for (var j = 0; j <= i; j++) {
            var s = m[g.x][i * N + j];
            for (var k = 0; k < j; k++) { s -= l[i * N + k] * l[j * N + k]; }
            if i == j {
                if s <= 0.0 {
                    failed[g.x] = 1u;
                    return;
                }
                l[i * N + i] = sqrt(s);
            } else {
                l[i * N + j] = s / l[j * N + j];
            }
        }
    }
    m[g.x] = l;
}
