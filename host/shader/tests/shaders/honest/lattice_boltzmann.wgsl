// entry: main, constants:
// D2Q9 collide and stream with bounce-back walls
@group(0) @binding(0) var<storage, read> f0: array<f32>;
@group(0) @binding(1) var<storage, read_write> f1: array<f32>;
@group(0) @binding(2) var<storage, read> wall: array<u32>;
@group(0) @binding(3) var<uniform> lattice: vec4u; // width, height
const C = array(vec2i(0, 0), vec2i(1, 0), vec2i(0, 1), vec2i(-1, 0), vec2i(0, -1), vec2i(1, 1), vec2i(-1, 1), vec2i(-1, -1), vec2i(1, -1));
const W = array(0.4444444, 0.1111111, 0.1111111, 0.1111111, 0.1111111, 0.0277778, 0.0277778, 0.0277778, 0.0277778);
const OPPOSITE = array(0u, 3u, 4u, 1u, 2u, 7u, 8u, 5u, 6u);
const OMEGA = 1.2;
@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) g: vec3u) {
    let w = lattice.x;
    let h = lattice.y;
    if g.x >= w || g.y >= h { return; }
    let cells = w * h;
    let here = g.y * w + g.x;
    var f: array<f32, 9>;
    var rho = 0.0;
    var u = vec2f(0.0);
    for (var k = 0u; k < 9u; k++) {
        let q = (vec2i(g.xy) - C[k] + vec2i(vec2u(w, h))) % vec2i(vec2u(w, h));
        f[k] = f0[k * cells + u32(q.y) * w + u32(q.x)];
        rho += f[k];
        u += f[k] * vec2f(C[k]);
    }
    if wall[here] != 0u {
        for (var k = 0u; k < 9u; k++) { f1[k * cells + here] = f[OPPOSITE[k]]; }
        return;
    }
    u /= max(rho, 1e-6);
    let u2 = 1.5 * dot(u, u);
    for (var k = 0u; k < 9u; k++) {
        let cu = 3.0 * dot(vec2f(C[k]), u);
        let equilibrium = rho * f32(W[k]) * (1.0 + cu + 0.5 * cu * cu - u2);
        f1[k * cells + here] = f[k] + OMEGA * (equilibrium - f[k]);
    }
}
