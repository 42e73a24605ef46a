// entry: main, constants:
// prefix sums of rows for an integral image, tile by tile with a carry
@group(0) @binding(0) var<storage, read_write> image: array<f32>;
@group(0) @binding(1) var<uniform> width: u32;
var<workgroup> s: array<f32, 64>;
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) row: vec3u, @builtin(local_invocation_index) t: u32) {
    var carry = 0.0;
    for (var x0 = 0u; x0 < width; x0 += 64u) {
        let x = x0 + t;
        s[t] = 0.0;
        if x < width { s[t] = image[row.x * width + x]; }
        workgroupBarrier();
        for (var d = 1u; d < 64u; d *= 2u) {
            var add = 0.0;
            if t >= d { add = s[t - d]; }
            workgroupBarrier();
            s[t] += add;
            workgroupBarrier();
        }
        if x < width { image[row.x * width + x] = carry + s[t]; }
        carry += s[63];
        workgroupBarrier();
    }
}
