// entry: main, constants:
// inclusive scan of a block with two alternating halves of workgroup memory
const N = 128u;
@group(0) @binding(0) var<storage, read_write> data: array<u32>;
var<workgroup> ping: array<array<u32, N>, 2>;
@compute @workgroup_size(N)
fn main(@builtin(local_invocation_id) lid: vec3u, @builtin(global_invocation_id) gid: vec3u) {
    var origin = 0u;
    ping[0][lid.x] = data[gid.x];
    workgroupBarrier();
    for (var offset = 1u; offset < N; offset *= 2u) {
        let to = 1u - origin;
        var v = ping[origin][lid.x];
        if lid.x >= offset { v += ping[origin][lid.x - offset]; }
        ping[to][lid.x] = v;
        origin = to;
        workgroupBarrier();
    }
    data[gid.x] = ping[origin][lid.x];
}
