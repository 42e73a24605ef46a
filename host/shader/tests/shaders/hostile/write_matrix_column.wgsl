// entry: main, expect: clamped, unchecked: ends, workgroups: 1 1 1, fuel: 1000000, allowed: 0 1065353216
// a matrix's column and row by hostile numbers
@group(0) @binding(0) var<storage, read_write> out: array<mat4x4f, 4>;
@compute @workgroup_size(16)
fn main(@builtin(local_invocation_index) t: u32) {
    out[t * 1000u][t * 77u][t * 12345u] = 1.0;
}
