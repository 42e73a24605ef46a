// entry: main, constants:
// dot product of two vectors, 4 elements an invocation
@group(0) @binding(0) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> b: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> partial_sums: array<f32>;
var<workgroup> shared_sums: array<f32, 256>;
@compute @workgroup_size(256, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let base = group.x * 256u + local;
    let len = min(arrayLength(&a), arrayLength(&b));
    shared_sums[local] = 0.0;
    if (base < len) {
        shared_sums[local] = dot(a[base], b[base]);
    }
    workgroupBarrier();
    var active_count: u32 = 128u;
    while (active_count > 0u) {
        if (local < active_count) {
            shared_sums[local] = shared_sums[local] + shared_sums[local + active_count];
        }
        workgroupBarrier();
        active_count = active_count / 2u;
    }
    if (local == 0u) {
        partial_sums[group.x] = shared_sums[0];
    }
}
