// entry: main, expect: fuel, unchecked: ends or timeout, workgroups: 2 1 1, fuel: 500000
// an endless uniform loop with a barrier in it, which all must leave together
var<workgroup> s: array<u32, 64>;
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) t: u32) {
    loop {
        s[t] += 1u;
        workgroupBarrier();
        out[t] = s[63u - t];
        workgroupBarrier();
    }
}
