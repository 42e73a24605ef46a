// entry: main, constants:
// every workgroup visits the blocks of all others through a staging tile
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> potential: array<f32>;
var<workgroup> stage: array<f32, 64>;
@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) t: u32, @builtin(workgroup_id) w: vec3u, @builtin(num_workgroups) n: vec3u) {
    let me = x[w.x * 64u + t];
    var sum = 0.0;
    for (var b = 0u; b < n.x; b++) {
        let block = (w.x + b) % n.x;
        stage[t] = x[block * 64u + t];
        workgroupBarrier();
        for (var k = 0u; k < 64u; k++) { sum += abs(stage[k] - me); }
        workgroupBarrier();
    }
    potential[w.x * 64u + t] = sum;
}
