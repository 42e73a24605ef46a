// entry: main, constants:
// an extra pass, with its barrier, only where a uniform asks for it
struct Options { smooth_it: u32, gain: f32 }
@group(0) @binding(0) var<uniform> options: Options;
@group(0) @binding(1) var<storage, read_write> d: array<f32>;
var<workgroup> s: array<f32, 128>;
@compute @workgroup_size(128)
fn main(@builtin(local_invocation_index) t: u32, @builtin(global_invocation_id) g: vec3u) {
    s[t] = d[g.x] * options.gain;
    workgroupBarrier();
    if options.smooth_it != 0u {
        let mean = 0.5 * (s[t] + s[(t + 1u) & 127u]);
        workgroupBarrier();
        s[t] = mean;
        workgroupBarrier();
    }
    d[g.x] = s[127u - t];
}
