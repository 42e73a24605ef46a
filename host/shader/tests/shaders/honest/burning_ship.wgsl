// entry: main, constants:
// burning-ship fractal, colour packed into a word
@group(0) @binding(0) var<storage, read_write> rgba: array<u32>;
override WIDTH: u32 = 640u;
override HEIGHT: u32 = 480u;
fn palette(t: f32) -> vec4f {
    return vec4f(0.5 + 0.5 * cos(6.28318 * (vec3f(1.0, 0.9, 0.7) * t + vec3f(0.0, 0.15, 0.3))), 1.0);
}
@compute @workgroup_size(16, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= WIDTH || id.y >= HEIGHT { return; }
    let c = vec2f(f32(id.x) / f32(WIDTH) * 3.0 - 2.2, f32(id.y) / f32(HEIGHT) * 2.5 - 1.8);
    var z = vec2f(0);
    var escaped = 128;
    for (var i = 0; i < 128; i++) {
        let a = abs(z);
        z = vec2f(a.x * a.x - a.y * a.y, 2 * a.x * a.y) + c;
        if dot(z, z) > 16 {
            escaped = i;
            break;
        }
    }
    rgba[id.y * WIDTH + id.x] = pack4x8unorm(palette(f32(escaped) / 128.0));
}
