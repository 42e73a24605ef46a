// entry: main, constants:
// walks decision trees stored as arrays
struct Split { feature: u32, threshold: f32, left: u32, right: u32 }
@group(0) @binding(0) var<storage, read> nodes: array<Split>;
@group(0) @binding(1) var<storage, read> features: array<array<f32, 8>>;
@group(0) @binding(2) var<storage, read_write> prediction: array<f32>;
const LEAF = 0xffffffffu;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= arrayLength(&features) { return; }
    var node = nodes[0];
    while node.feature != LEAF {
        if features[g.x][node.feature & 7u] <= node.threshold {
            node = nodes[node.left];
        } else {
            node = nodes[node.right];
        }
    }
    prediction[g.x] = node.threshold;
}
