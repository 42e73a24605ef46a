// entry: main, constants:
// stable scatter of a radix pass, each key counting equal digits before it
@group(0) @binding(0) var<storage, read> keys_in: array<u32>;
@group(0) @binding(1) var<storage, read> offsets: array<u32>;
@group(0) @binding(2) var<storage, read_write> keys_out: array<u32>;
@group(0) @binding(3) var<uniform> shift: u32;
var<workgroup> digits: array<u32, 128>;
@compute @workgroup_size(128)
fn main(@builtin(local_invocation_index) t: u32, @builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) n: vec3u) {
    let i = w.x * 128u + t;
    let inside = i < arrayLength(&keys_in);
    var key = 0u;
    if inside { key = keys_in[i]; }
    let digit = (key >> shift) & 15u;
    digits[t] = select(16u, digit, inside);
    workgroupBarrier();
    if !inside { return; }
    var rank = 0u;
    for (var q = 0u; q < t; q++) { rank += u32(digits[q] == digit); }
    keys_out[offsets[digit * n.x + w.x] + rank] = key;
}
