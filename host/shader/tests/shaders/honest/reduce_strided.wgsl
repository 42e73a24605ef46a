// entry: main, constants:
// grid-stride accumulation in a register, then a tree
@group(0) @binding(0) var<storage, read> src: array<f32>;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;
var<workgroup> scratch: array<f32, 128>;

fn tree(lane: u32) -> f32 {
    var width = 64u;
    loop {
        workgroupBarrier();
        if (lane < width) { scratch[lane] += scratch[lane + width]; }
        width = width >> 1u;
        if (width == 0u) { break; }
    }
    workgroupBarrier();
    return scratch[0];
}

@compute @workgroup_size(128)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(local_invocation_index) lane: u32,
        @builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) n: vec3u) {
    var acc = 0.0;
    var i = gid.x;
    while (i < arrayLength(&src)) {
        acc += src[i];
        i += n.x * 128u;
    }
    scratch[lane] = acc;
    let total = tree(lane);
    if (lane == 0u) { dst[wg.x] = total; }
}
