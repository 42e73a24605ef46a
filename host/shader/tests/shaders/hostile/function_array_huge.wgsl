// entry: main, expect: refused, unchecked: any, workgroups: 1 1 1, fuel: 1000000
// megabytes on the stack of each invocation
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) t: u32) {
    var a: array<array<u32, 4096>, 4096>;
    a[t][out[t]] = t;
    out[t] = a[out[0]][t];
}
