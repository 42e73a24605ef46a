// entry: main, constants:
// workgroup of three axes with a three-dimensional tile and halo by wrap-around
var<workgroup> tile: array<array<array<f32, 4>, 4>, 4>;
@group(0) @binding(0) var<storage, read_write> spins: array<f32>;
@compute @workgroup_size(4, 4, 4)
fn main(@builtin(local_invocation_id) l: vec3u, @builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) n: vec3u) {
    let group = (w.z * n.y + w.y) * n.x + w.x;
    let at = group * 64u + (l.z * 4u + l.y) * 4u + l.x;
    tile[l.z][l.y][l.x] = spins[at];
    workgroupBarrier();
    var field = 0.0;
    for (var axis = 0u; axis < 3u; axis++) {
        for (var side = 1u; side <= 3u; side += 2u) {
            var q = l;
            q[axis] = (q[axis] + side) & 3u;
            field += tile[q.z][q.y][q.x];
        }
    }
    spins[at] = tanh(field);
}
