// entry: main, constants:
// most likely state path of a hidden Markov model, one state an invocation
const STATES = 32u;
var<workgroup> now: array<f32, STATES>;
@group(0) @binding(0) var<storage, read> log_transition: array<f32>;
@group(0) @binding(1) var<storage, read> log_emission: array<f32>;
@group(0) @binding(2) var<storage, read> observed: array<u32>;
@group(0) @binding(3) var<storage, read_write> back: array<u32>;
@compute @workgroup_size(STATES)
fn main(@builtin(local_invocation_id) l: vec3u) {
    let s = l.x;
    now[s] = 0.0;
    workgroupBarrier();
    for (var time = 0u; time < arrayLength(&observed); time++) {
        var best = -1e30;
        var prior = 0u;
        for (var q = 0u; q < STATES; q++) {
            let p = now[q] + log_transition[q * STATES + s];
            if p > best { best = p; prior = q; }
        }
        workgroupBarrier();
        now[s] = best + log_emission[s * 64u + min(observed[time], 63u)];
        back[time * STATES + s] = prior;
        workgroupBarrier();
    }
}
