// One sweep: the average of each point's neighbourhood in one grid to the interior of the other.

struct Shape {
    height: u32,
    width: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> source: array<f32>;
@group(0) @binding(2) var<storage, read_write> result: array<f32>;

@compute @workgroup_size(64, 4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let is_inner = id.x > 0u && id.x + 1u < shape.width && id.y > 0u && id.y + 1u < shape.height;
    if is_inner {
        let i = id.y * shape.width + id.x;
        let row = source[i] + source[i - 1u] + source[i + 1u];
        result[i] = 0.2 * (row + source[i + shape.width] + source[i - shape.width]);
    }
}
