// entry: main, expect: refused must only be reached, unchecked: any, workgroups: 1 1 1, fuel: 1000000
// some invocations return before the barrier
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= 50u { return; }
    out[g.x] = g.x;
    workgroupBarrier();
    out[g.x] += out[49u - g.x];
}
