// entry: main, constants:
// cyclic passing of values around a workgroup, rounds from a uniform struct field
struct Config { rounds: u32, shift: u32 }
@group(0) @binding(0) var<uniform> config: Config;
@group(0) @binding(1) var<storage, read_write> ring: array<u32>;
var<workgroup> slots: array<u32, 32>;
@compute @workgroup_size(32)
fn main(@builtin(local_invocation_index) t: u32, @builtin(workgroup_id) w: vec3u) {
    var mine = ring[w.x * 32u + t];
    for (var r = 0u; r < config.rounds; r++) {
        slots[t] = mine;
        workgroupBarrier();
        mine = slots[(t + config.shift) % 32u] + r;
        workgroupBarrier();
    }
    ring[w.x * 32u + t] = mine;
}
