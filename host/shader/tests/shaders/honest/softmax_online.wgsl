// entry: main, constants:
// one-pass softmax with running maximum, an invocation a row
@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read_write> probs: array<f32>;
override CLASSES: u32 = 10u;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    let base = g.x * CLASSES;
    if base + CLASSES > arrayLength(&logits) { return; }
    var m = logits[base];
    var z = 1.0;
    for (var c = 1u; c < CLASSES; c++) {
        let v = logits[base + c];
        let nm = max(m, v);
        z = z * exp(m - nm) + exp(v - nm);
        m = nm;
    }
    for (var c = 0u; c < CLASSES; c++) { probs[base + c] = exp(logits[base + c] - m) / z; }
}
