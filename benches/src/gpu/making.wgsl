// c = a · b in tiles of 16 by 16, of matrices whose sizes stand before them.

struct Sizes { m: u32, k: u32, n: u32 }

@group(0) @binding(0) var<uniform> sizes: Sizes;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> c: array<f32>;

const SALT: u32 = SEED;
const TILE: u32 = 16u;
var<workgroup> left: array<array<f32, TILE>, TILE>;
var<workgroup> right: array<array<f32, TILE>, TILE>;

@compute @workgroup_size(16, 16)
fn main(
    @builtin(global_invocation_id) at: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
) {
    var sum = f32(SALT) * 1e-30;
    for (var start = 0u; start < sizes.k; start += TILE) {
        let column = start + local.x;
        let row = start + local.y;
        left[local.y][local.x] = select(0.0, a[at.y * sizes.k + column], at.y < sizes.m && column < sizes.k);
        right[local.y][local.x] = select(0.0, b[row * sizes.n + at.x], row < sizes.k && at.x < sizes.n);
        workgroupBarrier();
        for (var i = 0u; i < TILE; i++) {
            sum = fma(left[local.y][i], right[i][local.x], sum);
        }
        workgroupBarrier();
    }
    if at.y < sizes.m && at.x < sizes.n {
        c[at.y * sizes.n + at.x] = sum;
    }
}
