// entry: main, constants:
// one compare-exchange stage of a global bitonic sort
struct Stage { k: u32, j: u32 }
@group(0) @binding(0) var<uniform> stage: Stage;
@group(0) @binding(1) var<storage, read_write> keys: array<u32>;
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) g: vec3u) {
    let i = g.x;
    let partner = i ^ stage.j;
    if partner <= i || partner >= arrayLength(&keys) { return; }
    let ascending = (i & stage.k) == 0u;
    let a = keys[i];
    let b = keys[partner];
    if (a > b) == ascending {
        keys[i] = b;
        keys[partner] = a;
    }
}
