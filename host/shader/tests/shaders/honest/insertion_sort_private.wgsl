// entry: main, constants:
// each invocation sorts sixteen numbers of its own by insertion
@group(0) @binding(0) var<storage, read_write> data: array<array<f32, 16>>;
@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= arrayLength(&data) { return; }
    var a = data[g.x];
    for (var i = 1; i < 16; i++) {
        let key = a[i];
        var j = i - 1;
        while (j >= 0 && a[j] > key) {
            a[j + 1] = a[j];
            j--;
        }
        a[j + 1] = key;
    }
    data[g.x] = a;
}
