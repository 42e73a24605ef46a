// entry: main, constants:
// Conway's life on a torus
@group(0) @binding(0) var<storage, read> old: array<u32>;
@group(0) @binding(1) var<storage, read_write> new_cells: array<u32>;
@group(0) @binding(2) var<uniform> size: vec2u;
fn cell(x: u32, y: u32) -> u32 { return old[(y % size.y) * size.x + (x % size.x)]; }
fn neighbours(x: u32, y: u32) -> u32 {
    return cell(x - 1u + size.x, y + 1u) + cell(x + size.x - 1u, y) + cell(x + size.x - 1u, y + size.y - 1u)
         + cell(x, y + size.y - 1u) + cell(x + 1u, y + size.y - 1u) + cell(x + 1u, y) + cell(x + 1u, y + 1u) + cell(x, y + 1u);
}
@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) g: vec3<u32>) {
    if (g.x >= size.x || g.y >= size.y) { return; }
    let n = neighbours(g.x, g.y);
    new_cells[g.y * size.x + g.x] = select(u32(n == 3u), u32(n == 2u || n == 3u), cell(g.x, g.y) == 1u);
}
