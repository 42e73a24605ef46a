// entry: main, expect: fuel, unchecked: ends or timeout, workgroups: 1 1 1, fuel: 500000
// an endless divergent loop inside a uniform loop with barriers
var<workgroup> s: array<u32, 32>;
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(32)
fn main(@builtin(local_invocation_index) t: u32) {
    for (var r = 0u; r < 8u; r++) {
        var i = t;
        while i != 1000u || out[40] == 0u {
            i++;
            out[t] = i;
        }
        workgroupBarrier();
        s[t] = i;
        workgroupBarrier();
    }
    out[t] = s[31u - t];
}
