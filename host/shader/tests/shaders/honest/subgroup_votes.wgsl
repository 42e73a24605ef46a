// entry: main, constants:
// any and all over a subgroup steer which branch of a filter is taken
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> flags: array<u32>;
@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) g: vec3u) {
    let hot = x[min(g.x, arrayLength(&x) - 1u)] > 1.0;
    let some = subgroupAny(hot);
    let every = subgroupAll(hot);
    if g.x < arrayLength(&flags) { flags[g.x] = u32(some) | (u32(every) << 1u); }
}
