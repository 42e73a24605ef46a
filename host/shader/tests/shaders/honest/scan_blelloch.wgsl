// entry: main, constants:
// exclusive scan by up-sweep and down-sweep
const SIZE: u32 = 256u;
@group(0) @binding(0) var<storage, read_write> values: array<u32>;
@group(0) @binding(1) var<storage, read_write> totals: array<u32>;
var<workgroup> temp: array<u32, SIZE>;
@compute @workgroup_size(128)
fn main(@builtin(local_invocation_id) lid: vec3<u32>, @builtin(workgroup_id) wid: vec3<u32>) {
    let t = lid.x;
    let base = wid.x * SIZE;
    temp[2u * t] = values[base + 2u * t];
    temp[2u * t + 1u] = values[base + 2u * t + 1u];
    var offset = 1u;
    for (var d = SIZE >> 1u; d > 0u; d >>= 1u) {
        workgroupBarrier();
        if (t < d) {
            let ai = offset * (2u * t + 1u) - 1u;
            let bi = offset * (2u * t + 2u) - 1u;
            temp[bi] += temp[ai];
        }
        offset *= 2u;
    }
    if (t == 0u) {
        totals[wid.x] = temp[SIZE - 1u];
        temp[SIZE - 1u] = 0u;
    }
    for (var d = 1u; d < SIZE; d *= 2u) {
        offset >>= 1u;
        workgroupBarrier();
        if (t < d) {
            let ai = offset * (2u * t + 1u) - 1u;
            let bi = offset * (2u * t + 2u) - 1u;
            let swap = temp[ai];
            temp[ai] = temp[bi];
            temp[bi] += swap;
        }
    }
    workgroupBarrier();
    values[base + 2u * t] = temp[2u * t];
    values[base + 2u * t + 1u] = temp[2u * t + 1u];
}
