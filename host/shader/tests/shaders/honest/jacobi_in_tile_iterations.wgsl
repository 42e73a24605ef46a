// entry: main, constants: ITERATIONS=12
// several Jacobi iterations inside one workgroup, barriers in the loop
override ITERATIONS: i32 = 4;
var<workgroup> a: array<f32, 64>;
var<workgroup> b: array<f32, 64>;
@group(0) @binding(0) var<storage, read_write> u: array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) i: u32, @builtin(workgroup_id) w: vec3u) {
    a[i] = u[w.x * 64u + i];
    workgroupBarrier();
    for (var it = 0; it < ITERATIONS; it++) {
        let left = a[max(i, 1u) - 1u];
        let right = a[min(i + 1u, 63u)];
        b[i] = 0.5 * (left + right);
        workgroupBarrier();
        a[i] = b[i];
        workgroupBarrier();
    }
    u[w.x * 64u + i] = a[i];
}
