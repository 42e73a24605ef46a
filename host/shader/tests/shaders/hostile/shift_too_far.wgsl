// entry: main, expect: ends, unchecked: ends, workgroups: 1 1 1, fuel: 1000000
// shifts by 32 and more, whose result the driver chooses
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<storage, read> src: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) t: u32) {
    out[t] = (src[0] << (t * 33u + 32u)) | (src[0] >> (src[1] * 1000u));
}
