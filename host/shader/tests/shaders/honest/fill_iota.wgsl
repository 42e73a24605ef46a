// entry: main, constants:
// writes 0, 1, 2, … from a two-dimensional dispatch flattened by hand
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(16, 16)
fn main(@builtin(workgroup_id) wid: vec3u,
        @builtin(num_workgroups) nwg: vec3u,
        @builtin(local_invocation_index) lix: u32) {
    let linear = (wid.y * nwg.x + wid.x) * 256u + lix;
    if linear < arrayLength(&out) { out[linear] = linear; }
}
