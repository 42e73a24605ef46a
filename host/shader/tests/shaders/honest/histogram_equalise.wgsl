// entry: main, constants:
// maps pixels through a cumulative histogram
@group(0) @binding(0) var<storage, read> cdf: array<u32, 256>;
@group(0) @binding(1) var<storage, read_write> grey: array<u32>;
var<private> lowest: u32;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= arrayLength(&grey) { return; }
    lowest = 0u;
    for (var b = 0u; b < 256u; b++) {
        if cdf[b] != 0u { lowest = cdf[b]; break; }
    }
    let total = max(cdf[255], lowest + 1u);
    grey[g.x] = (cdf[grey[g.x] & 0xffu] - lowest) * 255u / (total - lowest);
}
