// entry: main, expect: refused must only be reached, unchecked: any, workgroups: 1 1 1, fuel: 1000000
// the barrier is three calls below the branch
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
fn c() { workgroupBarrier(); }
fn b(x: u32) -> u32 { c(); return x + 1u; }
fn a(x: u32) -> u32 { return b(x) * 2u; }
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) t: u32) {
    if (t & 1u) == 1u { out[t] = a(t); }
}
