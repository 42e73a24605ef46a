// entry: main, expect: fuel, unchecked: ends or timeout, workgroups: 1 1 1, fuel: 500000
// loops until a workgroup flag that nobody sets, read by workgroupUniformLoad
var<workgroup> done: u32;
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(16)
fn main(@builtin(local_invocation_index) t: u32) {
    while workgroupUniformLoad(&done) == 0u { out[t] += 1u; }
}
