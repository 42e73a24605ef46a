// entry: main, expect: refused, unchecked: any, workgroups: 1 1 1, fuel: 1000000
// hundreds of megabytes of private memory for each invocation
var<private> p: array<u32, 100000000>;
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) t: u32) {
    p[out[t]] = t;
    out[t] = p[t * 1000u];
}
