// entry: main, constants:
// one Bellman-Ford relaxation over edges with atomicMin
struct Edge { tail: u32, head: u32, weight: u32 }
@group(0) @binding(0) var<storage, read> edges: array<Edge>;
@group(0) @binding(1) var<storage, read_write> distance_to: array<atomic<u32>>;
@group(0) @binding(2) var<storage, read_write> changed: atomic<u32>;
@compute @workgroup_size(128)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if (g.x >= arrayLength(&edges)) { return; }
    let e = edges[g.x];
    let d = atomicLoad(&distance_to[e.tail]);
    if (d == 0x7fffffffu) { return; }
    let old = atomicMin(&distance_to[e.head], d + e.weight);
    if (old > d + e.weight) { atomicStore(&changed, 1u); }
}
