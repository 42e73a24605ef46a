// entry: main, constants:
// case index of every cell of a scalar field
@group(0) @binding(0) var<storage, read> field: array<f32>;
@group(0) @binding(1) var<storage, read_write> cases: array<u32>;
struct Volume { size: vec3u, level: f32 }
@group(0) @binding(2) var<uniform> volume: Volume;
@compute @workgroup_size(4, 4, 4)
fn main(@builtin(global_invocation_id) g: vec3u) {
    let s = volume.size;
    if any(g + 1u >= s) { return; }
    var index = 0u;
    for (var corner = 0u; corner < 8u; corner++) {
        let o = vec3u(corner & 1u, (corner >> 1u) & 1u, corner >> 2u);
        let p = g + o;
        if field[(p.z * s.y + p.y) * s.x + p.x] > volume.level { index |= 1u << corner; }
    }
    cases[(g.z * s.y + g.y) * s.x + g.x] = index;
}
