// entry: main, constants:
// one power iteration of PageRank over incoming edges
@group(0) @binding(0) var<storage, read> in_start: array<u32>;
@group(0) @binding(1) var<storage, read> in_from: array<u32>;
@group(0) @binding(2) var<storage, read> out_degree: array<u32>;
@group(0) @binding(3) var<storage, read> rank: array<f32>;
@group(0) @binding(4) var<storage, read_write> next_rank: array<f32>;
override DAMPING: f32 = 0.85;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    let n = arrayLength(&rank);
    if g.x >= n { return; }
    var inflow = 0.0;
    let stop = in_start[g.x + 1u];
    var e = in_start[g.x];
    while e < stop {
        let source = in_from[e];
        inflow += rank[source] / f32(max(out_degree[source], 1u));
        e++;
    }
    next_rank[g.x] = (1.0 - DAMPING) / f32(n) + DAMPING * inflow;
}
