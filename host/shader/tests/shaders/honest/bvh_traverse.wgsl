// entry: main, constants:
// walks a bounding-volume hierarchy with a small stack of its own
struct Node { lo: vec3f, left: u32, hi: vec3f, count: u32 }
struct Ray { origin: vec3f, direction: vec3f }
@group(0) @binding(0) var<storage, read> nodes: array<Node>;
@group(0) @binding(1) var<storage, read> rays: array<Ray>;
@group(0) @binding(2) var<storage, read_write> visited: array<u32>;
fn hits(node: Node, o: vec3f, inv: vec3f) -> bool {
    let a = (node.lo - o) * inv;
    let b = (node.hi - o) * inv;
    let near = min(a, b);
    let far = max(a, b);
    return max(max(near.x, near.y), max(near.z, 0.0)) <= min(far.x, min(far.y, far.z));
}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= arrayLength(&rays) { return; }
    let ray = rays[g.x];
    let inv = 1.0 / ray.direction;
    var stack: array<u32, 32>;
    var top = 1u;
    stack[0] = 0u;
    var leaves = 0u;
    while top > 0u {
        top--;
        let node = nodes[stack[top]];
        if !hits(node, ray.origin, inv) { continue; }
        if node.count > 0u {
            leaves += node.count;
        } else if top + 2u <= 32u {
            stack[top] = node.left;
            stack[top + 1u] = node.left + 1u;
            top += 2u;
        }
    }
    visited[g.x] = leaves;
}
