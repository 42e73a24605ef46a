// entry: main, constants:
// third phase of a scan: adds each block's offset to its elements
@group(0) @binding(0) var<storage, read_write> scanned: array<u32>;
@group(0) @binding(1) var<storage, read> offsets: array<u32>;
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(workgroup_id) wid: vec3u) {
    if (gid.x < arrayLength(&scanned)) { scanned[gid.x] += offsets[wid.x]; }
}
