// entry: main, constants:
// 3x3 median by a partial selection sort
@group(0) @binding(0) var<storage, read> src: array<u32>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;
@group(0) @binding(2) var<uniform> size: vec2u;
@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x == 0u || g.y == 0u || g.x + 1u >= size.x || g.y + 1u >= size.y { return; }
    var v: array<u32, 9>;
    var n = 0;
    for (var dy = 0u; dy < 3u; dy++) {
        for (var dx = 0u; dx < 3u; dx++) {
            v[n] = src[(g.y + dy - 1u) * size.x + g.x + dx - 1u];
            n++;
        }
    }
    for (var i = 0; i < 5; i++) {
        var least = i;
        for (var j = i + 1; j < 9; j++) {
            if v[j] < v[least] { least = j; }
        }
        let t = v[i];
        v[i] = v[least];
        v[least] = t;
    }
    dst[g.y * size.x + g.x] = v[4];
}
