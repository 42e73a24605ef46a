// entry: main, constants:
// loops of different length for each lane, then a barrier
var<workgroup> lengths: array<u32, 64>;
@group(0) @binding(0) var<storage, read> start: array<u32>;
@group(0) @binding(1) var<storage, read_write> longest: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) t: u32, @builtin(global_invocation_id) g: vec3u, @builtin(workgroup_id) w: vec3u) {
    var n = max(start[g.x], 1u);
    var steps = 0u;
    while n != 1u && steps < 1000u {
        if (n & 1u) == 1u { n = 3u * n + 1u; } else { n /= 2u; }
        steps++;
    }
    lengths[t] = steps;
    workgroupBarrier();
    if t == 0u {
        var most = 0u;
        for (var k = 0; k < 64; k++) { most = max(most, lengths[k]); }
        longest[w.x] = most;
    }
}
