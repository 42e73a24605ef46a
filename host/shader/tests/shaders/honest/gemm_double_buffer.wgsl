// entry: main, constants:
// tiled product that loads the next tile while it works on this one
const N = 8u;
@group(0) @binding(0) var<uniform> dim: u32;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> c: array<f32>;
var<workgroup> ta: array<array<array<f32, N>, N>, 2>;
var<workgroup> tb: array<array<array<f32, N>, N>, 2>;
fn load(slot: u32, t: u32, l: vec2u, g: vec2u) {
    ta[slot][l.y][l.x] = a[g.y * dim + t * N + l.x];
    tb[slot][l.y][l.x] = b[(t * N + l.y) * dim + g.x];
}
@compute @workgroup_size(N, N)
fn main(@builtin(local_invocation_id) l: vec3u, @builtin(global_invocation_id) g: vec3u) {
    let tiles = dim / N;
    var acc = 0.0;
    load(0u, 0u, l.xy, g.xy);
    for (var t = 0u; t < tiles; t++) {
        workgroupBarrier();
        let slot = t & 1u;
        if t + 1u < tiles { load(1u - slot, t + 1u, l.xy, g.xy); }
        for (var k = 0u; k < N; k++) { acc += ta[slot][l.y][k] * tb[slot][k][l.x]; }
    }
    c[g.y * dim + g.x] = acc;
}
