// entry: main, constants:
// connected components: hooks roots together and halves paths
@group(0) @binding(0) var<storage, read> edges: array<vec2u>;
@group(0) @binding(1) var<storage, read_write> parent: array<atomic<u32>>;
fn root(start: u32) -> u32 {
    var at = start;
    for (var hops = 0; hops < 1024; hops++) {
        let up = atomicLoad(&parent[at]);
        if up == at { break; }
        let above = atomicLoad(&parent[up]);
        atomicStore(&parent[at], above);
        at = above;
    }
    return at;
}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= arrayLength(&edges) { return; }
    var a = root(edges[g.x].x);
    var b = root(edges[g.x].y);
    while a != b {
        let low = min(a, b);
        let high = max(a, b);
        let r = atomicCompareExchangeWeak(&parent[high], high, low);
        if r.exchanged { break; }
        a = root(low);
        b = root(r.old_value);
    }
}
