// entry: main, constants:
// odd-even transposition sort of a block, phases counted by a uniform loop
var<workgroup> s: array<i32, 64>;
@group(0) @binding(0) var<storage, read_write> v: array<i32>;
@compute @workgroup_size(32)
fn main(@builtin(local_invocation_id) t: vec3u, @builtin(workgroup_id) b: vec3u) {
    let base = b.x * 64u;
    s[t.x] = v[base + t.x];
    s[t.x + 32u] = v[base + t.x + 32u];
    for (var phase = 0u; phase < 64u; phase++) {
        workgroupBarrier();
        let i = 2u * t.x + (phase & 1u);
        if (i + 1u < 64u && s[i] > s[i + 1u]) {
            let held = s[i];
            s[i] = s[i + 1u];
            s[i + 1u] = held;
        }
    }
    workgroupBarrier();
    v[base + t.x] = s[t.x];
    v[base + t.x + 32u] = s[t.x + 32u];
}
