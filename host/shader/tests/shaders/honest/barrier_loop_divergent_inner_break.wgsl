// entry: main, constants:
// inner search breaks divergently, the barrier of the outer loop comes after it
var<workgroup> keys: array<u32, 64>;
@group(0) @binding(0) var<storage, read> stream: array<u32>;
@group(0) @binding(1) var<storage, read_write> matches: array<u32>;
@group(0) @binding(2) var<uniform> blocks: u32;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) t: u32, @builtin(global_invocation_id) g: vec3u) {
    let wanted = matches[g.x];
    var found = 0u;
    for (var b = 0u; b < blocks; b++) {
        keys[t] = stream[b * 64u + t];
        workgroupBarrier();
        for (var k = 0u; k < 64u; k++) {
            if keys[k] == wanted {
                found = b * 64u + k + 1u;
                break;
            }
        }
        workgroupBarrier();
    }
    matches[g.x] = found;
}
