// entry: main, constants:
// sum of 64 written out step by step
var<workgroup> s: array<u32, 64>;
@group(0) @binding(0) var<storage, read> a: array<u32>;
@group(0) @binding(1) var<storage, read_write> r: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) t: u32, @builtin(workgroup_id) w: vec3u) {
    s[t] = a[w.x * 64u + t];
    workgroupBarrier();
    if (t < 32u) { s[t] += s[t + 32u]; }
    workgroupBarrier();
    if (t < 16u) { s[t] += s[t + 16u]; }
    workgroupBarrier();
    if (t < 8u) { s[t] += s[t + 8u]; }
    workgroupBarrier();
    if (t < 4u) { s[t] += s[t + 4u]; }
    workgroupBarrier();
    if (t < 2u) { s[t] += s[t + 2u]; }
    workgroupBarrier();
    if (t == 0u) { r[w.x] = s[0] + s[1]; }
}
