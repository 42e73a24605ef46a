// entry: main, constants:
// transposes element by element
struct Shape { w: u32, h: u32 }
@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read_write> b: array<f32>;
@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) p: vec3u) {
    if (p.x >= shape.w || p.y >= shape.h) { return; }
    b[p.x * shape.h + p.y] = a[p.y * shape.w + p.x];
}
