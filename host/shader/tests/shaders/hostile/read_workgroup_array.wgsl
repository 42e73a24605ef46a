// entry: main, expect: clamped, unchecked: ends, workgroups: 1 1 1, fuel: 1000000, allowed: 0 1
// reads past the end of workgroup memory
var<workgroup> s: array<u32, 16>;
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(16)
fn main(@builtin(local_invocation_index) t: u32) {
    s[t] = 1u;
    workgroupBarrier();
    out[t] = s[(t + 1u) * 16u];
    out[t + 16u] = s[t * 1000000u];
}
