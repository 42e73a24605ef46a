// entry: main, constants:
// row-major product with vec4 columns and an override tile depth
override DEPTH: u32 = 8u;
@group(0) @binding(0) var<storage, read> lhs: array<vec4f>;
@group(0) @binding(1) var<storage, read> rhs: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> res: array<vec4f>;
@group(0) @binding(3) var<uniform> inner: vec4u;
var<workgroup> tile: array<vec4f, DEPTH * 8>;
@compute @workgroup_size(8, 8)
fn main(@builtin(local_invocation_id) l: vec3u, @builtin(global_invocation_id) g: vec3u) {
    var sum = vec4f();
    let steps = inner.x / DEPTH;
    for (var s = 0u; s < steps; s += 1u) {
        for (var d = l.y; d < DEPTH; d += 8u) {
            tile[d * 8u + l.x] = rhs[(s * DEPTH + d) * inner.y + g.x];
        }
        workgroupBarrier();
        for (var d = 0u; d < DEPTH; d += 4u) {
            let q = lhs[(g.y * inner.x + s * DEPTH + d) / 4u];
            sum += q.x * tile[d * 8u + l.x];
            sum += q.y * tile[(d + 1u) * 8u + l.x];
            sum += q.z * tile[(d + 2u) * 8u + l.x];
            sum += q.w * tile[(d + 3u) * 8u + l.x];
        }
        workgroupBarrier();
    }
    res[g.y * inner.y + g.x] = sum;
}
