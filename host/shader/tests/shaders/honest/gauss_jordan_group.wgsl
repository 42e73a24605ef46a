// entry: main, constants:
// inverts one 16x16 matrix a workgroup, a barrier for each pivot
const N = 16u;
var<workgroup> a: array<array<f32, 32>, N>;
@group(0) @binding(0) var<storage, read_write> m: array<f32>;
@compute @workgroup_size(32)
fn main(@builtin(local_invocation_index) c: u32, @builtin(workgroup_id) w: vec3u) {
    let base = w.x * 256u;
    for (var r = 0u; r < N; r++) {
        if c < N { a[r][c] = m[base + r * N + c]; } else { a[r][c] = f32(c - N == r); }
    }
    workgroupBarrier();
    for (var p = 0u; p < N; p++) {
        let pivot = a[p][p];
        workgroupBarrier();
        a[p][c] /= pivot;
        workgroupBarrier();
        for (var r = 0u; r < N; r++) {
            let factor = a[r][p];
            workgroupBarrier();
            if r != p { a[r][c] -= factor * a[p][c]; }
            workgroupBarrier();
        }
    }
    if c >= N { for (var r = 0u; r < N; r++) { m[base + r * N + c - N] = a[r][c]; } }
}
