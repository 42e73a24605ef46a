// entry: main, constants:
// a loop with two counters and a compound condition, all uniform
struct Range { first: i32, last: i32, budget: u32 }
@group(0) @binding(0) var<uniform> range: Range;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
var<workgroup> s: array<f32, 32>;
@compute @workgroup_size(32)
fn main(@builtin(local_invocation_index) t: u32, @builtin(global_invocation_id) g: vec3u) {
    var acc = 0.0;
    var left = range.budget;
    for (var i = range.first; i <= range.last && left > 0u; i += 2) {
        s[t] = x[u32(max(i, 0)) * 32u + t];
        workgroupBarrier();
        acc += s[0] * s[31] + s[t];
        workgroupBarrier();
        left -= 1u;
    }
    y[g.x] = acc;
}
