// entry: main, constants:
// arg-max of a block, value and index together
struct Best { value: f32, index: u32 }
@group(0) @binding(0) var<storage, read> values: array<f32>;
@group(0) @binding(1) var<storage, read_write> found: array<Best>;
var<workgroup> best: array<Best, 64>;
fn better(a: Best, b: Best) -> Best {
    if (b.value > a.value || (b.value == a.value && b.index < a.index)) { return b; }
    return a;
}
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_id) l: vec3u, @builtin(global_invocation_id) g: vec3u, @builtin(workgroup_id) w: vec3u) {
    if g.x < arrayLength(&values) {
        best[l.x] = Best(values[g.x], g.x);
    } else {
        best[l.x] = Best(-3.0e38, 0xffffffffu);
    }
    workgroupBarrier();
    for (var step = 32u; step != 0u; step /= 2u) {
        if l.x < step {
            best[l.x] = better(best[l.x], best[l.x + step]);
        }
        workgroupBarrier();
    }
    if l.x == 0u { found[w.x] = best[0]; }
}
