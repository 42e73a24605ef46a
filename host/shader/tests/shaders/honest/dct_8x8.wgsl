// entry: main, constants:
// separable 8x8 discrete cosine transform of image blocks
var<workgroup> block: array<f32, 64>;
var<workgroup> middle: array<f32, 64>;
@group(0) @binding(0) var<storage, read> image: array<f32>;
@group(0) @binding(1) var<storage, read_write> coefficients: array<f32>;
fn basis(u: u32, x: u32) -> f32 {
    let scale = select(0.5, 0.35355339, u == 0u);
    return scale * cos((2.0 * f32(x) + 1.0) * f32(u) * 0.19634954);
}
@compute @workgroup_size(8, 8)
fn main(@builtin(local_invocation_id) l: vec3u, @builtin(global_invocation_id) g: vec3u, @builtin(num_workgroups) n: vec3u) {
    let at = g.y * n.x * 8u + g.x;
    block[l.y * 8u + l.x] = image[at];
    workgroupBarrier();
    var row = 0.0;
    for (var x = 0u; x < 8u; x++) { row += block[l.y * 8u + x] * basis(l.x, x); }
    middle[l.y * 8u + l.x] = row;
    workgroupBarrier();
    var column = 0.0;
    for (var y = 0u; y < 8u; y++) { column += middle[y * 8u + l.x] * basis(l.y, y); }
    coefficients[at] = column;
}
