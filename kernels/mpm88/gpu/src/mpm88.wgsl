// One step in three entry points. Masses are in units of a particle's, so a particle's momentum is its
// velocity; lengths are in cells where they are called a place.

struct Step {
    particles: u32,
    dt: f32,
}

// Sums over particles: 64-bit fixed-point numbers, a low word and a high one.
struct Node {
    x_low: atomic<u32>,
    x_high: atomic<u32>,
    y_low: atomic<u32>,
    y_high: atomic<u32>,
    mass_low: atomic<u32>,
    mass_high: atomic<u32>,
}

@group(0) @binding(0) var<uniform> step: Step;
@group(0) @binding(1) var<storage, read_write> positions: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read_write> velocities: array<vec2<f32>>;
// Velocity gradients, row by row.
@group(0) @binding(3) var<storage, read_write> gradients: array<vec4<f32>>;
// Volumes over volumes at rest.
@group(0) @binding(4) var<storage, read_write> volumes: array<f32>;
// x-major, as is `field`.
@group(0) @binding(5) var<storage, read_write> nodes: array<Node>;
@group(0) @binding(6) var<storage, read_write> field: array<vec2<f32>>;
@group(0) @binding(7) var<storage, read_write> lost: atomic<u32>;

const GRID = 128u;
const CELLS = 128.0;
const BOUND = 3u;
const GRAVITY = 9.8;
const STIFFNESS = 400.0;
// A particle's mass: density 1 times a quarter of a cell.
const MASS = 0.25 / (CELLS * CELLS);

// The 3×3 nodes around a particle, with the weights of the quadratic B-spline along each axis.
struct Stencil {
    base: vec2<u32>,
    // Relative to the base node: between 0.5 and 1.5.
    place: vec2<f32>,
    weights: array<vec2<f32>, 3>,
}

// Particles to grid.
@compute @workgroup_size(64)
fn collect(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let p = (id.y * count.x + id.x) * 64u + lane;
    if p >= step.particles {
        return;
    }
    let x = positions[p];
    if !is_inside(x) {
        atomicMax(&lost, p + 1u);
        return;
    }
    let stencil = around(x);
    // −dt · volume · 4E(J−1)/dx², where a particle's volume is dx²/4.
    let stress = -step.dt * STIFFNESS * (volumes[p] - 1.0) / MASS;
    let c = gradients[p];
    let along_x = vec2<f32>(stress + c.x, c.z) / CELLS;
    let along_y = vec2<f32>(c.y, stress + c.w) / CELLS;
    for (var i = 0u; i < 3u; i++) {
        for (var j = 0u; j < 3u; j++) {
            let offset = vec2<f32>(f32(i), f32(j)) - stencil.place;
            let weight = stencil.weights[i].x * stencil.weights[j].y;
            let momentum = weight * (velocities[p] + along_x * offset.x + along_y * offset.y);
            add((stencil.base.x + i) * GRID + stencil.base.y + j, momentum, weight);
        }
    }
}

// Momentum to velocity, gravity, and walls. The node is left empty for the next step.
@compute @workgroup_size(64)
fn push(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    let x = number(atomicExchange(&nodes[i].x_low, 0u), atomicExchange(&nodes[i].x_high, 0u));
    let y = number(atomicExchange(&nodes[i].y_low, 0u), atomicExchange(&nodes[i].y_high, 0u));
    let mass = number(atomicExchange(&nodes[i].mass_low, 0u), atomicExchange(&nodes[i].mass_high, 0u));
    var v = vec2<f32>();
    if mass > 0.0 {
        v = vec2<f32>(x, y) / mass - vec2<f32>(0.0, step.dt * GRAVITY);
        v = vec2<f32>(inward(i / GRID, v.x), inward(i % GRID, v.y));
    }
    field[i] = v;
}

// Grid to particles.
@compute @workgroup_size(64)
fn carry(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let p = (id.y * count.x + id.x) * 64u + lane;
    if p >= step.particles {
        return;
    }
    let x = positions[p];
    if !is_inside(x) {
        return;
    }
    let stencil = around(x);
    var v = vec2<f32>();
    var along_x = vec2<f32>();
    var along_y = vec2<f32>();
    for (var i = 0u; i < 3u; i++) {
        for (var j = 0u; j < 3u; j++) {
            let offset = vec2<f32>(f32(i), f32(j)) - stencil.place;
            let weight = stencil.weights[i].x * stencil.weights[j].y;
            let share = weight * field[(stencil.base.x + i) * GRID + stencil.base.y + j];
            v += share;
            along_x += share * offset.x;
            along_y += share * offset.y;
        }
    }
    let c = 4.0 * CELLS * vec4<f32>(along_x.x, along_y.x, along_x.y, along_y.y);
    velocities[p] = v;
    gradients[p] = c;
    positions[p] = x + step.dt * v;
    volumes[p] *= 1.0 + step.dt * (c.x + c.w);
}

// Whether all nine nodes exist.
fn is_inside(x: vec2<f32>) -> bool {
    let place = x * CELLS;
    return all(place >= vec2<f32>(0.5)) && all(place < vec2<f32>(CELLS - 1.5));
}

fn around(x: vec2<f32>) -> Stencil {
    let base = vec2<u32>(x * CELLS - 0.5);
    let place = x * CELLS - vec2<f32>(base);
    let near = 1.5 - place;
    let middle = place - 1.0;
    let far = place - 0.5;
    let weights = array(0.5 * near * near, 0.75 - middle * middle, 0.5 * far * far);
    return Stencil(base, place, weights);
}

// A wall's nodes keep only velocities that lead away from it.
fn inward(node: u32, velocity: f32) -> f32 {
    let is_blocked = (node < BOUND && velocity < 0.0) || (node > GRID - BOUND && velocity > 0.0);
    return select(velocity, 0.0, is_blocked);
}

fn add(node: u32, momentum: vec2<f32>, mass: f32) {
    let x = fixed(momentum.x);
    let y = fixed(momentum.y);
    let m = fixed(mass);
    let x_high = x.y + carried(atomicAdd(&nodes[node].x_low, x.x), x.x);
    let y_high = y.y + carried(atomicAdd(&nodes[node].y_low, y.x), y.x);
    let mass_high = m.y + carried(atomicAdd(&nodes[node].mass_low, m.x), m.x);
    // Often nothing is left to add: small numbers have no high word, and that of small negative ones,
    // all ones, goes up in the carry.
    if x_high != 0u {
        atomicAdd(&nodes[node].x_high, x_high);
    }
    if y_high != 0u {
        atomicAdd(&nodes[node].y_high, y_high);
    }
    if mass_high != 0u {
        atomicAdd(&nodes[node].mass_high, mass_high);
    }
}

// 1 if the sum of the two does not fit a word.
fn carried(old: u32, added: u32) -> u32 {
    return select(0u, 1u, old + added < old);
}

// A number in units of 2⁻³², low word and high word.
fn fixed(value: f32) -> vec2<u32> {
    let whole = floor(value);
    return vec2<u32>(u32((value - whole) * 4294967296.0), u32(i32(whole)));
}

// The number that two words hold. Its magnitude is taken first, so that none of its digits is lost.
fn number(low: u32, high: u32) -> f32 {
    if high >> 31u == 0u {
        return f32(high) + f32(low) / 4294967296.0;
    }
    let rest = ~low + 1u;
    return -(f32(~high + select(0u, 1u, rest == 0u)) + f32(rest) / 4294967296.0);
}
