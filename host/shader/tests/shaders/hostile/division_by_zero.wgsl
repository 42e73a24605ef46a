// entry: main, expect: clamped, unchecked: ends, workgroups: 1 1 1, fuel: 1000000, allowed: 0 7 2147483648
// integer division by zero and of the least number by -1
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<storage, read> src: array<u32>;
@compute @workgroup_size(1)
fn main() {
    let zero = src[0] - src[1];
    let least = i32(zero) - 2147483647 - 1;
    let minus_one = i32(zero) - 1;
    out[0] = src[0] / zero;
    out[1] = src[0] % zero;
    out[2] = u32(i32(src[0]) / i32(zero));
    out[3] = u32(i32(src[0]) % i32(zero));
    out[4] = u32(least / minus_one);
    out[5] = u32(least % minus_one);
    let v = vec4i(i32(src[0])) / vec4i(i32(zero));
    out[6] = u32(v.x);
}
