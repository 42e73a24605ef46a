// entry: main, constants:
// saxpy where each invocation walks the array in strides of the whole grid
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> a: f32;

const WG = 128u;

@compute @workgroup_size(WG)
fn main(@builtin(global_invocation_id) gid: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let stride = groups.x * WG;
    for (var i = gid.x; i < arrayLength(&y); i += stride) {
        y[i] += a * x[i];
    }
}
