// entry: main, constants: BINS=64
// histogram of floats between a minimum and a maximum, bins an override
override BINS: u32 = 32;
@group(0) @binding(0) var<storage, read> samples: array<f32>;
@group(0) @binding(1) var<uniform> bounds: vec2f;
@group(0) @binding(2) var<storage, read_write> counts: array<atomic<u32>>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let i = id.x;
    if i < arrayLength(&samples) {
        let unit = (samples[i] - bounds.x) / (bounds.y - bounds.x);
        if unit >= 0.0 && unit <= 1.0 {
            atomicAdd(&counts[min(u32(unit * f32(BINS)), BINS - 1u)], 1u);
        }
    }
}
