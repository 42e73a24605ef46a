// entry: main, expect: refused must only be reached, unchecked: any, workgroups: 1 1 1, fuel: 1000000
// lanes continue past the barrier in turns
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) t: u32) {
    for (var i = 0u; i < 8u; i++) {
        if (i ^ t) % 2u == 0u { continue; }
        workgroupBarrier();
        out[t] += 1u;
    }
}
