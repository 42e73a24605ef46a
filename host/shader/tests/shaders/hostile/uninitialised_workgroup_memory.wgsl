// entry: main, expect: clamped, unchecked: ends, workgroups: 64 1 1, fuel: 100000000, allowed: 0
// reads workgroup memory that nobody wrote after others used it
var<workgroup> s: array<u32, 2048>;
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) t: u32, @builtin(workgroup_id) w: vec3u) {
    var seen = 0u;
    for (var i = t; i < 2048u; i += 64u) { seen |= s[i]; }
    workgroupBarrier();
    out[(w.x * 16u + (t & 15u)) & 1023u] |= seen;
    for (var i = t; i < 2048u; i += 64u) { s[i] = 0xdeadu; }
}
