// entry: main, constants:
// one-dimensional convolution with halo cells in workgroup memory
const RADIUS = 4u;
const WIDTH = 128u;
@group(0) @binding(0) var<storage, read> input: array<f32>;
@group(0) @binding(1) var<storage, read> taps: array<f32, 9>;
@group(0) @binding(2) var<storage, read_write> output: array<f32>;
var<workgroup> cells: array<f32, 136>;
fn fetch(i: i32) -> f32 {
    if (i < 0 || i >= i32(arrayLength(&input))) { return 0.0; }
    return input[i];
}
@compute @workgroup_size(WIDTH)
fn main(@builtin(global_invocation_id) g: vec3u, @builtin(local_invocation_id) l: vec3u) {
    let at = i32(g.x);
    cells[l.x + RADIUS] = fetch(at);
    if (l.x < RADIUS) {
        cells[l.x] = fetch(at - i32(RADIUS));
        cells[l.x + RADIUS + WIDTH] = fetch(at + i32(WIDTH));
    }
    workgroupBarrier();
    var acc = 0.0;
    for (var k = 0u; k <= 2u * RADIUS; k++) { acc += taps[k] * cells[l.x + k]; }
    if (g.x < arrayLength(&output)) { output[g.x] = acc; }
}
