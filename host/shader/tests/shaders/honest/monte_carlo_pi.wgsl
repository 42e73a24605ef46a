// entry: main, constants: SAMPLES=1000
// hits inside the quarter circle, reduced through workgroup atomics
override SAMPLES: u32 = 256u;
var<workgroup> hits: atomic<u32>;
@group(0) @binding(0) var<storage, read_write> totals: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u, @builtin(local_invocation_index) l: u32, @builtin(workgroup_id) w: vec3u) {
    var state = g.x * 1664525u + 1013904223u;
    var inside = 0u;
    for (var i = 0u; i < SAMPLES; i++) {
        state = state * 1664525u + 1013904223u;
        let x = f32(state >> 8u) / 16777216.0;
        state = state * 1664525u + 1013904223u;
        let y = f32(state >> 8u) / 16777216.0;
        inside += select(0u, 1u, x * x + y * y <= 1.0);
    }
    atomicAdd(&hits, inside);
    workgroupBarrier();
    if l == 0u { totals[w.x] = atomicLoad(&hits); }
}
