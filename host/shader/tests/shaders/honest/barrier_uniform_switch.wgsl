// entry: main, constants:
// reduction operator chosen by a uniform, barriers inside each case's loop
@group(0) @binding(0) var<uniform> op: u32;
@group(0) @binding(1) var<storage, read_write> d: array<u32>;
var<workgroup> s: array<u32, 64>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) t: u32, @builtin(workgroup_id) w: vec3u) {
    s[t] = d[w.x * 64u + t];
    workgroupBarrier();
    switch op {
        case 0u: {
            for (var k = 32u; k > 0u; k >>= 1u) {
                if t < k { s[t] = min(s[t], s[t + k]); }
                workgroupBarrier();
            }
        }
        case 1u: {
            for (var k = 32u; k > 0u; k >>= 1u) {
                if t < k { s[t] = max(s[t], s[t + k]); }
                workgroupBarrier();
            }
        }
        default: {
            for (var k = 32u; k > 0u; k >>= 1u) {
                if t < k { s[t] ^= s[t + k]; }
                workgroupBarrier();
            }
        }
    }
    if t == 0u { d[w.x * 64u] = s[0]; }
}
