// entry: main, constants:
// threads particles onto per-cell linked lists with atomicExchange
@group(0) @binding(0) var<storage, read> position: array<vec2f>;
@group(0) @binding(1) var<storage, read_write> head: array<atomic<i32>>;
@group(0) @binding(2) var<storage, read_write> next: array<i32>;
@group(0) @binding(3) var<uniform> cell: vec4f; // cell size, cells along x
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= arrayLength(&position) { return; }
    let c = vec2u(max(position[g.x] / cell.x, vec2f(0.0)));
    let at = min(c.y * u32(cell.y) + c.x, arrayLength(&head) - 1u);
    next[g.x] = atomicExchange(&head[at], i32(g.x));
}
