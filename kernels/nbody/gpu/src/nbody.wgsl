// One step: an invocation moves one body under the pull of all, which a workgroup reads 256 at a time.

struct Step {
    bodies: u32,
    dt: f32,
    softening: f32,
}

@group(0) @binding(0) var<uniform> step: Step;
@group(0) @binding(1) var<storage, read> positions: array<f32>;
@group(0) @binding(2) var<storage, read_write> velocities: array<f32>;
@group(0) @binding(3) var<storage, read_write> moved: array<f32>;

const LANES = 256u;

var<workgroup> sources: array<vec3<f32>, LANES>;

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let body = (id.y * count.x + id.x) * LANES + lane;
    let x = position(body);
    var a = vec3<f32>();
    let tiles = (step.bodies + LANES - 1u) / LANES;
    for (var tile = 0u; tile < tiles; tile++) {
        let first = tile * LANES;
        sources[lane] = position(first + lane);
        workgroupBarrier();
        let present = min(LANES, step.bodies - first);
        for (var i = 0u; i < present; i++) {
            let d = sources[i] - x;
            let squared = dot(d, d) + step.softening;
            a += d * (1.0 / (squared * sqrt(squared)));
        }
        workgroupBarrier();
    }
    if body < step.bodies {
        for (var axis = 0u; axis < 3u; axis++) {
            let i = 3u * body + axis;
            let v = velocities[i] + step.dt * a[axis];
            velocities[i] = v;
            moved[i] = x[axis] + step.dt * v;
        }
    }
}

// A body's place; a lane without a body stands where the last one does.
fn position(body: u32) -> vec3<f32> {
    let i = 3u * min(body, step.bodies - 1u);
    return vec3<f32>(positions[i], positions[i + 1u], positions[i + 2u]);
}
