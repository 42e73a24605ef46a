// entry: main, expect: limit gpu_fuel, unchecked: timeout, workgroups: 65535 64 1, fuel: 1000000000
// endless loops in hundreds of millions of invocations: more than a driver that gives up single loops gets done
@group(0) @binding(0) var<storage, read_write> out: array<atomic<u32>>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    var x = g.x;
    while x != 3u || atomicLoad(&out[9]) != 3u {
        x = x * 1664525u + 1013904223u;
        atomicAdd(&out[x & 63u], 1u);
    }
}
