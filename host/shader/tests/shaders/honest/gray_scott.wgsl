// entry: main, constants:
// reaction and diffusion of two chemicals
struct Chem { feed: f32, kill: f32, du: f32, dv: f32 }
@group(0) @binding(0) var<uniform> chem: Chem;
@group(0) @binding(1) var<storage, read> uv0: array<vec2f>;
@group(0) @binding(2) var<storage, read_write> uv1: array<vec2f>;
const SIZE = 256u;
fn at(x: u32, y: u32) -> vec2f { return uv0[(y & (SIZE - 1u)) * SIZE + (x & (SIZE - 1u))]; }
@compute @workgroup_size(16, 16)
fn main(@builtin(global_invocation_id) p: vec3u) {
    let c = at(p.x, p.y);
    let lap = 0.2 * (at(p.x + 1u, p.y) + at(p.x - 1u, p.y) + at(p.x, p.y + 1u) + at(p.x, p.y - 1u))
            + 0.05 * (at(p.x + 1u, p.y + 1u) + at(p.x - 1u, p.y + 1u) + at(p.x + 1u, p.y - 1u) + at(p.x - 1u, p.y - 1u)) - c;
    let r = c.x * c.y * c.y;
    uv1[p.y * SIZE + p.x] = c + vec2f(chem.du * lap.x - r + chem.feed * (1.0 - c.x), chem.dv * lap.y + r - (chem.kill + chem.feed) * c.y);
}
