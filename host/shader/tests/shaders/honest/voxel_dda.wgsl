// entry: main, constants:
// steps a ray through a voxel grid until it meets a solid cell
struct Grid { size: vec3i, rays: u32 }
@group(0) @binding(0) var<uniform> grid: Grid;
@group(0) @binding(1) var<storage, read> solid: array<u32>;
@group(0) @binding(2) var<storage, read> ray: array<array<vec3f, 2>>;
@group(0) @binding(3) var<storage, read_write> hit_cell: array<vec3i>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= grid.rays { return; }
    let o = ray[g.x][0];
    let d = ray[g.x][1];
    var cell = vec3i(floor(o));
    let step = vec3i(sign(d));
    let delta = abs(1.0 / d);
    var side = (vec3f(step) * (vec3f(cell) - o) + vec3f(step) * 0.5 + 0.5) * delta;
    var found = vec3i(-1);
    loop {
        if any(cell < vec3i(0)) || any(cell >= grid.size) { break; }
        let index = u32((cell.z * grid.size.y + cell.y) * grid.size.x + cell.x);
        if (solid[index / 32u] >> (index % 32u) & 1u) == 1u { found = cell; break; }
        if side.x < side.y && side.x < side.z {
            side.x += delta.x;
            cell.x += step.x;
        } else if side.y < side.z {
            side.y += delta.y;
            cell.y += step.y;
        } else {
            side.z += delta.z;
            cell.z += step.z;
        }
    }
    hit_cell[g.x] = found;
}
