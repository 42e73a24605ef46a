// entry: main, constants:
// 2x2 max pooling with the index of the winner
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<storage, read_write> arg: array<u32>;
@group(0) @binding(3) var<uniform> chw: vec3u;
@compute @workgroup_size(8, 8, 1)
fn main(@builtin(global_invocation_id) o: vec3u) {
    let out = chw.yz / 2u;
    if o.z >= chw.x || o.y >= out.x || o.x >= out.y { return; }
    var best = -3.4e38;
    var where_best = 0u;
    for (var k = 0u; k < 4u; k++) {
        let at = (o.z * chw.y + 2u * o.y + (k >> 1u)) * chw.z + 2u * o.x + (k & 1u);
        if x[at] > best { best = x[at]; where_best = at; }
    }
    let to = (o.z * out.x + o.y) * out.y + o.x;
    y[to] = best;
    arg[to] = where_best;
}
