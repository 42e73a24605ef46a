// entry: main, expect: fuel, unchecked: ends or timeout, workgroups: 1 1 1, fuel: 500000
// the counter lives in workgroup memory and others set it back
var<workgroup> i: atomic<u32>;
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(32)
fn main(@builtin(local_invocation_index) t: u32) {
    while atomicAdd(&i, 1u) < 1000000u {
        out[t] += 1u;
        atomicStore(&i, 0u);
    }
}
