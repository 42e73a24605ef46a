// entry: main, constants:
// Julia set with smooth colouring, do-while by break if
@group(0) @binding(0) var<storage, read_write> shade: array<f32>;
@group(0) @binding(1) var<uniform> c: vec2f;
const W = 512u;
const MAX = 300u;
@compute @workgroup_size(16, 16)
fn main(@builtin(global_invocation_id) id: vec3u) {
    var z = vec2f(id.xy) / 256.0 - 1.0;
    var n = 0u;
    loop {
        z = vec2f(z.x * z.x - z.y * z.y + c.x, 2.0 * z.x * z.y + c.y);
        continuing {
            n++;
            break if n >= MAX || dot(z, z) > 64.0;
        }
    }
    shade[id.y * W + id.x] = f32(n) + 1.0 - log2(max(log2(max(length(z), 1.0001)), 1e-6));
}
