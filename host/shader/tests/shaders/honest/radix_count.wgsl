// entry: main, constants:
// counts the digits of a block for one pass of a radix sort
const RADIX = 16u;
struct Pass { shift: u32, n: u32 }
@group(0) @binding(0) var<uniform> pass_: Pass;
@group(0) @binding(1) var<storage, read> keys: array<u32>;
@group(0) @binding(2) var<storage, read_write> counts: array<u32>;
var<workgroup> digit_count: array<atomic<u32>, RADIX>;
@compute @workgroup_size(128)
fn main(@builtin(local_invocation_index) t: u32, @builtin(global_invocation_id) g: vec3u, @builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) nw: vec3u) {
    if t < RADIX { atomicStore(&digit_count[t], 0u); }
    workgroupBarrier();
    if g.x < pass_.n {
        atomicAdd(&digit_count[(keys[g.x] >> pass_.shift) & (RADIX - 1u)], 1u);
    }
    workgroupBarrier();
    if t < RADIX { counts[t * nw.x + w.x] = atomicLoad(&digit_count[t]); }
}
