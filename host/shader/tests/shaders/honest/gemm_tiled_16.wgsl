// entry: main, constants:
// C = A B through two 16x16 tiles, edges padded with zeros
const T: u32 = 16u;
struct Dims { M: u32, N: u32, K: u32, _pad: u32 }
@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(1) var<storage, read> A: array<f32>;
@group(0) @binding(2) var<storage, read> B: array<f32>;
@group(0) @binding(3) var<storage, read_write> C: array<f32>;
var<workgroup> As: array<array<f32, T>, T>;
var<workgroup> Bs: array<array<f32, T>, T>;
@compute @workgroup_size(T, T, 1)
fn main(@builtin(global_invocation_id) gid: vec3<u32>, @builtin(local_invocation_id) lid: vec3<u32>) {
    let row = gid.y;
    let col = gid.x;
    var acc: f32 = 0.0;
    let tiles = (dims.K + T - 1u) / T;
    for (var t = 0u; t < tiles; t++) {
        let ka = t * T + lid.x;
        let kb = t * T + lid.y;
        As[lid.y][lid.x] = select(0.0, A[row * dims.K + ka], row < dims.M && ka < dims.K);
        Bs[lid.y][lid.x] = select(0.0, B[kb * dims.N + col], col < dims.N && kb < dims.K);
        workgroupBarrier();
        for (var k = 0u; k < T; k++) {
            acc = fma(As[lid.y][k], Bs[k][lid.x], acc);
        }
        workgroupBarrier();
    }
    if (row < dims.M && col < dims.N) {
        C[row * dims.N + col] = acc;
    }
}
