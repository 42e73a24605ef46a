// entry: main, constants:
// counts smaller keys tile by tile to find each key's place
@group(0) @binding(0) var<storage, read> keys: array<f32>;
@group(0) @binding(1) var<storage, read_write> sorted: array<f32>;
var<workgroup> tile: array<f32, 64>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u, @builtin(local_invocation_index) l: u32) {
    let n = arrayLength(&keys);
    let mine = keys[min(g.x, n - 1u)];
    var rank = 0u;
    for (var base = 0u; base < n; base += 64u) {
        if base + l < n { tile[l] = keys[base + l]; }
        workgroupBarrier();
        for (var k = 0u; k < min(64u, n - base); k++) {
            let other = tile[k];
            if other < mine || (other == mine && base + k < g.x) { rank++; }
        }
        workgroupBarrier();
    }
    if g.x < n { sorted[rank] = mine; }
}
