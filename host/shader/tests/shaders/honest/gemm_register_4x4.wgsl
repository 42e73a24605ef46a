// entry: main, constants:
// 64x64 tiles, a 4x4 block of registers for each invocation
struct Dims { m: u32, n: u32, k: u32 }
@group(0) @binding(0) var<uniform> d: Dims;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> c: array<f32>;
const BM = 64u;
const BN = 64u;
const BK = 8u;
var<workgroup> sa: array<f32, 512>;
var<workgroup> sb: array<f32, 512>;
@compute @workgroup_size(16, 16)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_id) lid: vec3u, @builtin(local_invocation_index) tid: u32) {
    var acc: array<array<f32, 4>, 4>;
    for (var k0 = 0u; k0 < d.k; k0 += BK) {
        for (var s = tid; s < BM * BK; s += 256u) {
            let r = s / BK;
            let q = s % BK;
            let gr = wg.y * BM + r;
            sa[q * BM + r] = select(0.0, a[gr * d.k + k0 + q], gr < d.m && k0 + q < d.k);
        }
        for (var s = tid; s < BN * BK; s += 256u) {
            let r = s / BN;
            let q = s % BN;
            let gc = wg.x * BN + q;
            sb[s] = select(0.0, b[(k0 + r) * d.n + gc], gc < d.n && k0 + r < d.k);
        }
        workgroupBarrier();
        for (var k = 0u; k < BK; k++) {
            var ra: array<f32, 4>;
            var rb: array<f32, 4>;
            for (var i = 0u; i < 4u; i++) {
                ra[i] = sa[k * BM + lid.y * 4u + i];
                rb[i] = sb[k * BN + lid.x * 4u + i];
            }
            for (var i = 0u; i < 4u; i++) {
                for (var j = 0u; j < 4u; j++) { acc[i][j] += ra[i] * rb[j]; }
            }
        }
        workgroupBarrier();
    }
    for (var i = 0u; i < 4u; i++) {
        let gr = wg.y * BM + lid.y * 4u + i;
        if gr >= d.m { continue; }
        for (var j = 0u; j < 4u; j++) {
            let gc = wg.x * BN + lid.x * 4u + j;
            if gc < d.n { c[gr * d.n + gc] = acc[i][j]; }
        }
    }
}
