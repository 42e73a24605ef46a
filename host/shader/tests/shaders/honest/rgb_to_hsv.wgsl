// entry: main, constants:
// colour conversion to hue, saturation and value
@group(0) @binding(0) var<storage, read_write> pixels: array<vec4f>;
fn hsv(c: vec3f) -> vec3f {
    let most = max(c.r, max(c.g, c.b));
    let least = min(c.r, min(c.g, c.b));
    let delta = most - least;
    var hue = 0.0;
    if delta > 0.0 {
        if most == c.r {
            hue = (c.g - c.b) / delta;
        } else if most == c.g {
            hue = 2.0 + (c.b - c.r) / delta;
        } else {
            hue = 4.0 + (c.r - c.g) / delta;
        }
    }
    return vec3f(fract(hue / 6.0), select(0.0, delta / most, most > 0.0), most);
}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= arrayLength(&pixels) { return; }
    pixels[g.x] = vec4f(hsv(pixels[g.x].rgb), pixels[g.x].a);
}
