// entry: main, constants:
// leapfrog step of the wave equation with damping at the border
@group(0) @binding(0) var<storage, read> previous: array<f32>;
@group(0) @binding(1) var<storage, read> current: array<f32>;
@group(0) @binding(2) var<storage, read_write> next: array<f32>;
struct Medium { size: vec2u, courant2: f32, damping: f32 }
@group(0) @binding(3) var<uniform> medium: Medium;
@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let size = medium.size;
    if any(id.xy >= size) { return; }
    let i = id.y * size.x + id.x;
    if any(id.xy == vec2u(0u)) || any(id.xy == size - 1u) {
        next[i] = current[i] * medium.damping;
        return;
    }
    let lap = current[i - 1u] + current[i + 1u] + current[i - size.x] + current[i + size.x] - 4.0 * current[i];
    next[i] = 2.0 * current[i] - previous[i] + medium.courant2 * lap;
}
