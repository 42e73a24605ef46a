// entry: main, constants:
// z = a x + b y, four lanes an invocation
struct Scale { a: f32, b: f32, len4: u32, pad: u32 }
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> y: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> z: array<vec4f>;
@group(0) @binding(3) var<uniform> s: Scale;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x < s.len4 {
        z[g.x] = s.a * x[g.x] + s.b * y[g.x];
    }
}
