// entry: main, expect: clamped, unchecked: ends, workgroups: 1 1 1, fuel: 1000000, allowed: 0 7
// indexes an array in a uniform buffer by a hostile number
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<uniform> table: array<vec4u, 4>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) t: u32) {
    out[t] = table[t * 1000u + 4u][(t * 17u) & 0xffu];
}
