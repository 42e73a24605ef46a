// entry: main, constants:
// one colour of a red-black relaxation in place
struct Sweep { n: u32, colour: u32, omega: f32 }
@group(0) @binding(0) var<uniform> sweep: Sweep;
@group(0) @binding(1) var<storage, read> rhs: array<f32>;
@group(0) @binding(2) var<storage, read_write> u: array<f32>;
@compute @workgroup_size(16, 16)
fn main(@builtin(global_invocation_id) g: vec3u) {
    let n = sweep.n;
    if g.x == 0u || g.y == 0u || g.x + 1u >= n || g.y + 1u >= n { return; }
    if ((g.x + g.y) & 1u) != sweep.colour { return; }
    let at = g.y * n + g.x;
    let next = 0.25 * (u[at - 1u] + u[at + 1u] + u[at - n] + u[at + n] - rhs[at]);
    u[at] = mix(u[at], next, sweep.omega);
}
