// One row to a workgroup: its greatest element, the sum of the exponentials, and their quotients.

struct Shape {
    rows: u32,
    columns: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> scores: array<f32>;
@group(0) @binding(2) var<storage, read_write> weights: array<f32>;

const LANES = 64u;

var<workgroup> shared_values: array<f32, LANES>;

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = id.y * count.x + id.x;
    if row >= shape.rows {
        return;
    }
    let first = row * shape.columns;
    let steps = (shape.columns + LANES - 1u) / LANES;
    var most = scores[first];
    for (var step = 0u; step < steps; step++) {
        let i = step * LANES + lane;
        if i < shape.columns {
            most = max(most, scores[first + i]);
        }
    }
    let greatest = greatest_of_all(lane, most);
    var sum = 0.0;
    for (var step = 0u; step < steps; step++) {
        let i = step * LANES + lane;
        if i < shape.columns {
            let weight = exp(scores[first + i] - greatest);
            weights[first + i] = weight;
            sum += weight;
        }
    }
    let scale = 1.0 / sum_of_all(lane, sum);
    for (var step = 0u; step < steps; step++) {
        let i = step * LANES + lane;
        if i < shape.columns {
            weights[first + i] *= scale;
        }
    }
}

fn greatest_of_all(lane: u32, value: f32) -> f32 {
    shared_values[lane] = value;
    for (var level = 1u; level <= 6u; level++) {
        workgroupBarrier();
        let width = LANES >> level;
        if lane < width {
            shared_values[lane] = max(shared_values[lane], shared_values[lane + width]);
        }
    }
    workgroupBarrier();
    let all = shared_values[0];
    workgroupBarrier();
    return all;
}

fn sum_of_all(lane: u32, value: f32) -> f32 {
    shared_values[lane] = value;
    for (var level = 1u; level <= 6u; level++) {
        workgroupBarrier();
        let width = LANES >> level;
        if lane < width {
            shared_values[lane] += shared_values[lane + width];
        }
    }
    workgroupBarrier();
    return shared_values[0];
}
