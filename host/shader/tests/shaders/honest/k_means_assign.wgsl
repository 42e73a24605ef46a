// entry: main, constants:
// nearest centroid, centroids staged in workgroup memory chunk by chunk
@group(0) @binding(0) var<storage, read> points: array<vec4f>;
@group(0) @binding(1) var<storage, read> centroids: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> owner: array<u32>;
var<workgroup> chunk: array<vec4f, 64>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u, @builtin(local_invocation_index) t: u32) {
    let clusters = arrayLength(&centroids);
    let p = points[min(g.x, arrayLength(&points) - 1u)];
    var best = 3.4e38;
    var who = 0u;
    var first = 0u;
    while first < clusters {
        if first + t < clusters { chunk[t] = centroids[first + t]; }
        workgroupBarrier();
        let count = min(64u, clusters - first);
        for (var c = 0u; c < count; c++) {
            let d = p - chunk[c];
            let d2 = dot(d, d);
            if d2 < best { best = d2; who = first + c; }
        }
        workgroupBarrier();
        first += 64u;
    }
    if g.x < arrayLength(&owner) { owner[g.x] = who; }
}
