// entry: main, constants:
// search by powers of two without branches
@group(0) @binding(0) var<storage, read> sorted: array<f32>;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= arrayLength(&x) { return; }
    let n = arrayLength(&sorted);
    var at = 0u;
    for (var step = 1u << firstLeadingBit(max(n, 1u)); step > 0u; step >>= 1u) {
        let next = at + step;
        at = select(at, next, next < n && sorted[min(next, n - 1u)] <= x[g.x]);
    }
    x[g.x] = f32(at);
}
