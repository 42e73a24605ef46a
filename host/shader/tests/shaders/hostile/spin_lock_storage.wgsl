// entry: main, expect: fuel, unchecked: ends or timeout, workgroups: 2 1 1, fuel: 500000
// a spin lock in storage taken by an invocation that waits for itself
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(2) var<storage, read_write> lock: atomic<u32>;
@compute @workgroup_size(32)
fn main(@builtin(local_invocation_index) t: u32) {
    while true {
        let old = atomicCompareExchangeWeak(&lock, 0u, t + 1u);
        if old.exchanged && t == 99u { break; }
    }
    out[t] = 1u;
}
