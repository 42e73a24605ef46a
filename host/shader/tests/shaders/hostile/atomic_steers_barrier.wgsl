// entry: main, expect: refused must only be reached, unchecked: any, workgroups: 1 1 1, fuel: 1000000
// what an atomic returned decides about a barrier
@group(0) @binding(0) var<storage, read_write> out: array<atomic<u32>>;
@compute @workgroup_size(64)
fn main() {
    if atomicAdd(&out[0], 1u) < 10u { workgroupBarrier(); }
    atomicAdd(&out[1], 1u);
}
