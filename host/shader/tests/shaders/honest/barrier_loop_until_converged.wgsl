// entry: main, constants:
// relaxes a block until a workgroup-wide flag, loaded uniformly, says it is still
var<workgroup> v: array<f32, 64>;
var<workgroup> moved: u32;
@group(0) @binding(0) var<storage, read_write> field: array<f32>;
@group(0) @binding(1) var<uniform> tolerance: f32;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) t: u32, @builtin(workgroup_id) w: vec3u) {
    v[t] = field[w.x * 64u + t];
    workgroupBarrier();
    loop {
        if t == 0u { moved = 0u; }
        workgroupBarrier();
        let next = 0.5 * v[t] + 0.25 * (v[max(t, 1u) - 1u] + v[min(t + 1u, 63u)]);
        if abs(next - v[t]) > tolerance { moved = 1u; }
        workgroupBarrier();
        v[t] = next;
        if workgroupUniformLoad(&moved) == 0u { break; }
    }
    field[w.x * 64u + t] = v[t];
}
