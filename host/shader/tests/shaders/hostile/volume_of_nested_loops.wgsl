// entry: main, expect: limit gpu_fuel, unchecked: timeout, workgroups: 65535 900 1, fuel: 10000000000
// constant loops, each short, over billions of invocations
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    var x = g.x;
    for (var i = 0u; i < 100u; i++) {
        for (var j = 0u; j < 100u; j++) { x = x * 22695477u + (i ^ j); }
    }
    out[g.y & 63u] = x;
}
