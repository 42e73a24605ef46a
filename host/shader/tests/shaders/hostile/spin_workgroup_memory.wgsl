// entry: main, expect: fuel, unchecked: ends or timeout, workgroups: 1 1 1, fuel: 500000
// lane 0 waits in workgroup memory for a lane that waits for lane 0
var<workgroup> turn: atomic<u32>;
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(2)
fn main(@builtin(local_invocation_index) t: u32) {
    while atomicLoad(&turn) != 1u + t { out[t] += 1u; }
    atomicStore(&turn, 2u - t);
}
