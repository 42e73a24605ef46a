// entry: main, expect: fuel, unchecked: ends or timeout, workgroups: 2 1 1, fuel: 500000
// each workgroup waits for a flag that only the other one sets, after its own wait
@group(0) @binding(0) var<storage, read_write> flags: array<atomic<u32>>;
@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) w: vec3u) {
    let other = 1u - w.x;
    while atomicLoad(&flags[other]) == 0u { atomicAdd(&flags[8], 1u); }
    atomicStore(&flags[w.x], 1u);
}
