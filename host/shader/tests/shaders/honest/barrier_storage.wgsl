// entry: main, constants:
// storage barrier between writing and reading a block's own range
@group(0) @binding(0) var<storage, read_write> d: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) t: u32, @builtin(workgroup_id) w: vec3u) {
    let base = w.x * 128u;
    d[base + 64u + t] = d[base + t] * 3u;
    storageBarrier();
    d[base + t] = d[base + 64u + ((t + 1u) & 63u)];
}
