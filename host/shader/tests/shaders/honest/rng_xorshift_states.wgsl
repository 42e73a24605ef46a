// entry: main, constants:
// advances many xorshift128 states kept in a buffer
@group(0) @binding(0) var<storage, read_write> states: array<vec4u>;
@group(0) @binding(1) var<storage, read_write> numbers: array<f32>;
var<private> s: vec4u;
fn next() -> u32 {
    var t = s.w;
    let head = s.x;
    s = vec4u(0u, s.xyz);
    t ^= t << 11u;
    t ^= t >> 8u;
    s.x = t ^ head ^ (head >> 19u);
    return s.x;
}
fn unit() -> f32 { return f32(next() >> 8u) * (1.0 / 16777216.0); }
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= arrayLength(&states) { return; }
    s = states[g.x];
    numbers[g.x] = unit();
    states[g.x] = s;
}
