// entry: main, constants:
// seven-point heat step walking along z with registers
struct Grid { nx: u32, ny: u32, nz: u32, alpha: f32 }
@group(0) @binding(0) var<uniform> grid: Grid;
@group(0) @binding(1) var<storage, read> t0: array<f32>;
@group(0) @binding(2) var<storage, read_write> t1: array<f32>;
fn at(x: u32, y: u32, z: u32) -> u32 { return (z * grid.ny + y) * grid.nx + x; }
@compute @workgroup_size(16, 16)
fn main(@builtin(global_invocation_id) g: vec3u) {
    let x = g.x;
    let y = g.y;
    if x < 1u || y < 1u || x >= grid.nx - 1u || y >= grid.ny - 1u { return; }
    var below = t0[at(x, y, 0u)];
    var here = t0[at(x, y, 1u)];
    for (var z = 1u; z + 1u < grid.nz; z++) {
        let above = t0[at(x, y, z + 1u)];
        let sides = t0[at(x - 1u, y, z)] + t0[at(x + 1u, y, z)] + t0[at(x, y - 1u, z)] + t0[at(x, y + 1u, z)];
        t1[at(x, y, z)] = here + grid.alpha * (sides + below + above - 6.0 * here);
        below = here;
        here = above;
    }
}
