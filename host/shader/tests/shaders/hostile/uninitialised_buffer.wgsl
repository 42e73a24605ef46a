// entry: main, expect: clamped, unchecked: ends, workgroups: 1 1 1, fuel: 1000000, allowed: 0
// hands on what a fresh buffer holds
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) t: u32) {
    var seen = 0u;
    for (var i = 0u; i < 16u; i++) { seen |= out[t * 16u + i]; }
    out[t] = seen;
}
