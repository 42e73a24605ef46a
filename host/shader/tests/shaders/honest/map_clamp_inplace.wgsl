// entry: clamp_main, constants:
// clamps every element into a range
@group(0) @binding(0) var<storage, read_write> data : array<f32>;
@group(0) @binding(1) var<uniform> range : vec2<f32>;
@compute @workgroup_size(256)
fn clamp_main(@builtin(global_invocation_id) gid : vec3<u32>) {
  let index = gid.x;
  if (index < arrayLength(&data)) {
    data[index] = clamp(data[index], range.x, range.y);
  }
}
