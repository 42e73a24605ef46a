// entry: main, constants:
// corner response from smoothed gradients
@group(0) @binding(0) var<storage, read> ix: array<f32>;
@group(0) @binding(1) var<storage, read> iy: array<f32>;
@group(0) @binding(2) var<storage, read_write> response: array<f32>;
override W: i32 = 256;
override H: i32 = 256;
override K: f32 = 0.04;
@compute @workgroup_size(16, 16)
fn main(@builtin(global_invocation_id) g: vec3u) {
    let c = vec2i(g.xy);
    if c.x < 2 || c.y < 2 || c.x >= W - 2 || c.y >= H - 2 { return; }
    var xx = 0.0;
    var yy = 0.0;
    var xy = 0.0;
    for (var dy = -2; dy <= 2; dy++) {
        for (var dx = -2; dx <= 2; dx++) {
            let i = (c.y + dy) * W + c.x + dx;
            xx += ix[i] * ix[i];
            yy += iy[i] * iy[i];
            xy += ix[i] * iy[i];
        }
    }
    let trace = xx + yy;
    response[c.y * W + c.x] = xx * yy - xy * xy - K * trace * trace;
}
