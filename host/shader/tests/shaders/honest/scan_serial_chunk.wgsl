// entry: main, constants:
// every invocation scans a chunk serially and leaves its total
@group(0) @binding(0) var<storage, read_write> data: array<i32>;
@group(0) @binding(1) var<storage, read_write> sums: array<i32>;
override CHUNK: u32 = 32u;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) gid: vec3u) {
    let begin = gid.x * CHUNK;
    let end = min(begin + CHUNK, arrayLength(&data));
    var running = 0;
    for (var i = begin; i < end; i++) {
        running += data[i];
        data[i] = running;
    }
    if gid.x < arrayLength(&sums) { sums[gid.x] = running; }
}
