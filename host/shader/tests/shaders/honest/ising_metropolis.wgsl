// entry: main, constants:
// a checkerboard Metropolis sweep of the Ising model
struct Sweep { size: u32, parity: u32, beta: f32, seed: u32 }
@group(0) @binding(0) var<uniform> sweep: Sweep;
@group(0) @binding(1) var<storage, read_write> spin: array<i32>;
fn hash(v: u32) -> u32 {
    var x = v * 0x9e3779b9u + sweep.seed;
    x = (x ^ (x >> 16u)) * 0x7feb352du;
    x = (x ^ (x >> 15u)) * 0x846ca68bu;
    return x ^ (x >> 16u);
}
@compute @workgroup_size(16, 16)
fn main(@builtin(global_invocation_id) g: vec3u) {
    let n = sweep.size;
    if g.x >= n || g.y >= n || (g.x ^ g.y) % 2u != sweep.parity { return; }
    let i = g.y * n + g.x;
    let right = g.y * n + (g.x + 1u) % n;
    let left = g.y * n + (g.x + n - 1u) % n;
    let up = ((g.y + n - 1u) % n) * n + g.x;
    let down = ((g.y + 1u) % n) * n + g.x;
    let change = 2 * spin[i] * (spin[left] + spin[right] + spin[up] + spin[down]);
    let chance = f32(hash(i) >> 8u) / 16777216.0;
    if change <= 0 || chance < exp(-sweep.beta * f32(change)) { spin[i] = -spin[i]; }
}
