// entry: main, expect: limit gpu_fuel, unchecked: timeout, workgroups: 65535 900 1, fuel: 10000000000
// barriers in a loop, which slow every workgroup, over millions of workgroups
var<workgroup> s: array<u32, 64>;
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) t: u32, @builtin(workgroup_id) w: vec3u) {
    s[t] = w.x;
    for (var i = 0u; i < 1000u; i++) {
        workgroupBarrier();
        s[63u - t] ^= i;
    }
    workgroupBarrier();
    out[t] = s[t];
}
