// entry: main, constants:
// expands a breadth-first frontier, claiming vertices by compare-exchange
struct Frontier { count: u32, vertex: array<u32> }
struct NextFrontier { count: atomic<u32>, vertex: array<u32> }
@group(0) @binding(0) var<storage, read> first_edge: array<u32>;
@group(0) @binding(1) var<storage, read> edge_to: array<u32>;
@group(0) @binding(2) var<storage, read_write> depth: array<atomic<u32>>;
@group(0) @binding(3) var<storage, read> frontier: Frontier;
@group(0) @binding(4) var<storage, read_write> next: NextFrontier;
@group(0) @binding(5) var<uniform> level: u32;
const UNSEEN = 0xffffffffu;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= frontier.count { return; }
    let v = frontier.vertex[g.x];
    for (var e = first_edge[v]; e < first_edge[v + 1u]; e++) {
        let to = edge_to[e];
        let claim = atomicCompareExchangeWeak(&depth[to], UNSEEN, level);
        if claim.exchanged {
            let slot = atomicAdd(&next.count, 1u);
            next.vertex[slot] = to;
        }
    }
}
