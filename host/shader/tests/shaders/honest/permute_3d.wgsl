// entry: main, constants:
// permutes the axes of a three-dimensional array
struct Layout { extent: vec3u, axis: vec3u }
@group(0) @binding(0) var<uniform> layout_of: Layout;
@group(0) @binding(1) var<storage, read> source: array<f32>;
@group(0) @binding(2) var<storage, read_write> target_array: array<f32>;
@compute @workgroup_size(4, 4, 4)
fn main(@builtin(global_invocation_id) at: vec3u) {
    let e = layout_of.extent;
    if any(at >= e) { return; }
    let origin = (at.z * e.y + at.y) * e.x + at.x;
    let q = vec3u(at[layout_of.axis.x], at[layout_of.axis.y], at[layout_of.axis.z]);
    let f = vec3u(e[layout_of.axis.x], e[layout_of.axis.y], e[layout_of.axis.z]);
    target_array[(q.z * f.y + q.y) * f.x + q.x] = source[origin];
}
