// entry: main, constants:
// one step of jump flooding for a distance field
@group(0) @binding(0) var<storage, read> seeds: array<vec2i>;
@group(0) @binding(1) var<storage, read_write> nearest: array<vec2i>;
@group(0) @binding(2) var<uniform> jump: vec3i; // width, height, step
@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) g: vec3u) {
    let p = vec2i(g.xy);
    if any(p >= jump.xy) { return; }
    var best = seeds[p.y * jump.x + p.x];
    var best_d = 0x7fffffff;
    for (var oy = -1; oy <= 1; oy += 1) {
        for (var ox = -1; ox <= 1; ox += 1) {
            let q = p + vec2i(ox, oy) * jump.z;
            if any(q < vec2i()) || any(q >= jump.xy) { continue; }
            let s = seeds[q.y * jump.x + q.x];
            if s.x < 0 { continue; }
            let d = s - p;
            let d2 = d.x * d.x + d.y * d.y;
            if d2 < best_d { best_d = d2; best = s; }
        }
    }
    nearest[p.y * jump.x + p.x] = best;
}
