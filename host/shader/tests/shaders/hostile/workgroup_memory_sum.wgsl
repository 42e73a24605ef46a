// entry: main, expect: limit gpu_workgroup_bytes, unchecked: any, workgroups: 1 1 1, fuel: 1000000
// many small workgroup variables that are too much together
var<workgroup> a: array<vec4u, 512>;
var<workgroup> b: array<vec4u, 512>;
var<workgroup> c: array<vec4u, 512>;
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) t: u32) {
    a[t].x = t;
    b[t].x = t;
    c[t].x = t;
    out[t] = a[t].x + b[t].y + c[t].z;
}
