// entry: main, constants:
// whole workgroups leave early by their id and a uniform, the rest meet barriers
struct Work { blocks: u32 }
@group(0) @binding(0) var<uniform> work: Work;
@group(0) @binding(1) var<storage, read_write> d: array<u32>;
var<workgroup> s: array<u32, 64>;
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(local_invocation_index) t: u32) {
    let block = w.y * 16u + w.x;
    if block >= work.blocks { return; }
    s[t] = d[block * 64u + t];
    workgroupBarrier();
    d[block * 64u + t] = s[(t * 5u) & 63u];
}
