// entry: main, constants:
// sparse matrix times vector in CSR, a workgroup a row, bounds from a read-only buffer at a uniform index
@group(0) @binding(0) var<storage, read> row_start: array<u32>;
@group(0) @binding(1) var<storage, read> entries: array<vec2f>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
var<workgroup> part: array<f32, 32>;
@compute @workgroup_size(32)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(local_invocation_id) l: vec3u) {
    let begin = row_start[w.x];
    let end = row_start[w.x + 1u];
    var total = 0.0;
    for (var base = begin; base < end; base += 32u) {
        let k = base + l.x;
        part[l.x] = 0.0;
        if k < end { part[l.x] = entries[k].y * x[u32(entries[k].x)]; }
        workgroupBarrier();
        for (var s = 16u; s > 0u; s >>= 1u) {
            if l.x < s { part[l.x] += part[l.x + s]; }
            workgroupBarrier();
        }
        total += part[0];
        workgroupBarrier();
    }
    if l.x == 0u { y[w.x] = total; }
}
