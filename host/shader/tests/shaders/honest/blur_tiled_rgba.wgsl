// entry: main, constants:
// 7-tap blur of packed pixels with a workgroup row and halo
const WG = 128u;
const R = 3u;
@group(0) @binding(0) var<storage, read> src: array<u32>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;
@group(0) @binding(2) var<uniform> dims: vec2u;
var<workgroup> row: array<vec4f, 134>;
@compute @workgroup_size(WG)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(local_invocation_index) l: u32) {
    let y = w.y;
    let first = i32(w.x * WG) - i32(R);
    for (var k = l; k < WG + 2u * R; k += WG) {
        let x = clamp(first + i32(k), 0, i32(dims.x) - 1);
        row[k] = unpack4x8unorm(src[y * dims.x + u32(x)]);
    }
    workgroupBarrier();
    let x = w.x * WG + l;
    if x >= dims.x { return; }
    var sum = vec4f(0.0);
    for (var k = 0u; k < 7u; k++) { sum += row[l + k]; }
    dst[y * dims.x + x] = pack4x8unorm(sum / 7.0);
}
