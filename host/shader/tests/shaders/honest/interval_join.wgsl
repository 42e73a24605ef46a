// entry: main, constants:
// counts intervals that hold a point: two searches in one function with pointer results
@group(0) @binding(0) var<storage, read> begins: array<f32>;
@group(0) @binding(1) var<storage, read> ends: array<f32>;
@group(0) @binding(2) var<storage, read> points: array<f32>;
@group(0) @binding(3) var<storage, read_write> counts: array<i32>;
fn search(p: f32, low: ptr<function, u32>, high: ptr<function, u32>) {
    var a = 0u;
    var b = arrayLength(&begins);
    while a < b { let m = (a + b) >> 1u; if begins[m] <= p { a = m + 1u; } else { b = m; } }
    *low = a;
    a = 0u;
    b = arrayLength(&ends);
    while a < b { let m = (a + b) >> 1u; if ends[m] < p { a = m + 1u; } else { b = m; } }
    *high = a;
}
@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= arrayLength(&points) { return; }
    var started: u32;
    var ended: u32;
    search(points[g.x], &started, &ended);
    counts[g.x] = i32(started) - i32(ended);
}
