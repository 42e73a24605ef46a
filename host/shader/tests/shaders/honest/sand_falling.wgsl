// entry: main, constants:
// falling sand with Margolus blocks
@group(0) @binding(0) var<storage, read_write> grid: array<u32>;
@group(0) @binding(1) var<uniform> info: vec4u; // width, height, phase
@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) g: vec3u) {
    let x = g.x * 2u + (info.z & 1u);
    let y = g.y * 2u + ((info.z >> 1u) & 1u);
    if x + 1u >= info.x || y + 1u >= info.y { return; }
    var q = array<u32, 4>(grid[y * info.x + x], grid[y * info.x + x + 1u], grid[(y + 1u) * info.x + x], grid[(y + 1u) * info.x + x + 1u]);
    for (var column = 0u; column < 2u; column++) {
        if q[column] == 1u && q[column + 2u] == 0u {
            q[column] = 0u;
            q[column + 2u] = 1u;
        } else if q[column] == 1u && q[3u - column] == 0u && q[1u - column] == 0u {
            q[column] = 0u;
            q[3u - column] = 1u;
        }
    }
    grid[y * info.x + x] = q[0];
    grid[y * info.x + x + 1u] = q[1];
    grid[(y + 1u) * info.x + x] = q[2];
    grid[(y + 1u) * info.x + x + 1u] = q[3];
}
