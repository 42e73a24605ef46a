// entry: main, constants:
// lower bound of many queries in a sorted array
@group(0) @binding(0) var<storage, read> sorted: array<u32>;
@group(0) @binding(1) var<storage, read> query: array<u32>;
@group(0) @binding(2) var<storage, read_write> position: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= arrayLength(&query) { return; }
    let q = query[g.x];
    var lo = 0u;
    var hi = arrayLength(&sorted);
    while lo < hi {
        let mid = lo + (hi - lo) / 2u;
        if sorted[mid] < q { lo = mid + 1u; } else { hi = mid; }
    }
    position[g.x] = lo;
}
