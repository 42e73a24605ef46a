// entry: main, constants:
// Asian option paths with geometric Brownian motion
struct Market { spot: f32, strike: f32, rate: f32, sigma: f32, horizon: f32, steps: u32, seed: u32 }
@group(0) @binding(0) var<uniform> m: Market;
@group(0) @binding(1) var<storage, read_write> payoff: array<f32>;
fn uniform01(state: ptr<function, u32>) -> f32 {
    *state ^= *state << 13u;
    *state ^= *state >> 17u;
    *state ^= *state << 5u;
    return (f32(*state >> 9u) + 0.5) / 8388608.0;
}
fn gauss(state: ptr<function, u32>) -> f32 {
    let r = sqrt(-2.0 * log(uniform01(state)));
    return r * cos(6.2831853 * uniform01(state));
}
@compute @workgroup_size(128)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= arrayLength(&payoff) { return; }
    var state = (g.x + 1u) * m.seed | 1u;
    let dt = m.horizon / f32(m.steps);
    var price = m.spot;
    var mean = 0.0;
    for (var step = 0u; step < m.steps; step++) {
        price *= exp((m.rate - 0.5 * m.sigma * m.sigma) * dt + m.sigma * sqrt(dt) * gauss(&state));
        mean += price / f32(m.steps);
    }
    payoff[g.x] = exp(-m.rate * m.horizon) * max(mean - m.strike, 0.0);
}
