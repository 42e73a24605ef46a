// entry: main, constants:
// sparse matrix times vector in ELLPACK with a padding marker
@group(0) @binding(0) var<storage, read> cols: array<i32>;
@group(0) @binding(1) var<storage, read> vals: array<f32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<uniform> ell: vec2u;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    let rows = ell.x;
    if g.x >= rows { return; }
    var acc = 0.0;
    for (var slot = 0u; slot < ell.y; slot++) {
        let c = cols[slot * rows + g.x];
        if c < 0 { break; }
        acc += vals[slot * rows + g.x] * x[c];
    }
    y[g.x] = acc;
}
