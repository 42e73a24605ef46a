// entry: main, constants:
// 256-point FFT in workgroup memory, eight stages with barriers
const N = 256u;
const TAU = 6.283185307;
@group(0) @binding(0) var<storage, read_write> signal: array<vec2<f32>>;
var<workgroup> w: array<vec2<f32>, N>;
@compute @workgroup_size(128)
fn main(@builtin(local_invocation_index) t: u32, @builtin(workgroup_id) wg: vec3<u32>) {
    for (var e = 0u; e < 2u; e++) {
        let i = t + e * 128u;
        w[reverseBits(i) >> 24u] = signal[wg.x * N + i];
    }
    workgroupBarrier();
    for (var span = 1u; span < N; span *= 2u) {
        let within = t % span;
        let top = (t / span) * span * 2u + within;
        let ang = -TAU * f32(within) / f32(span * 2u);
        let tw = vec2(cos(ang), sin(ang));
        let u = w[top];
        let x = w[top + span];
        let v = vec2(tw.x * x.x - tw.y * x.y, tw.x * x.y + tw.y * x.x);
        w[top] = u + v;
        w[top + span] = u - v;
        workgroupBarrier();
    }
    signal[wg.x * N + t] = w[t];
    signal[wg.x * N + t + 128u] = w[t + 128u];
}
