// entry: main, constants:
// bilateral filter with spatial and range weights
struct Filter { size: vec2i, radius: i32, sigma_s: f32, sigma_r: f32 }
@group(0) @binding(0) var<uniform> f: Filter;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read_write> output: array<f32>;
@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let p = vec2i(id.xy);
    if any(p >= f.size) { return; }
    let centre = input[p.y * f.size.x + p.x];
    var sum = 0.0;
    var norm = 0.0;
    for (var y = max(p.y - f.radius, 0); y <= min(p.y + f.radius, f.size.y - 1); y++) {
        for (var x = max(p.x - f.radius, 0); x <= min(p.x + f.radius, f.size.x - 1); x++) {
            let v = input[y * f.size.x + x];
            let d = vec2f(vec2i(x, y) - p);
            let w = exp(-dot(d, d) / (2.0 * f.sigma_s * f.sigma_s) - (v - centre) * (v - centre) / (2.0 * f.sigma_r * f.sigma_r));
            sum += w * v;
            norm += w;
        }
    }
    output[p.y * f.size.x + p.x] = sum / norm;
}
