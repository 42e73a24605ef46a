// entry: main, expect: clamped, unchecked: ends, workgroups: 1 1 1, fuel: 1000000, allowed: 0 7 1 2147483520 2147483647 2147483648 4294967040 4294967295
// conversions of floats that no integer holds, used as indices
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<storage, read> src: array<u32>;
@compute @workgroup_size(1)
fn main() {
    let big = f32(src[0]) * 1.0e30;
    out[0] = u32(big);
    out[1] = u32(-big);
    out[2] = u32(i32(big));
    out[3] = u32(i32(-big));
    out[4] = src[u32(big)];
    out[5] = src[i32(-big)];
    out[6] = src[u32(big * big)];
    out[7] = src[i32(big * big - big * big)];
}
