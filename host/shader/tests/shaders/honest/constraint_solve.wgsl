// entry: main, constants:
// distance constraints of ropes, one rope a workgroup, even and odd links in turns
override ROUNDS: u32 = 8u;
var<workgroup> node: array<vec3f, 64>;
@group(0) @binding(0) var<storage, read_write> ropes: array<vec4f>;
@group(0) @binding(1) var<uniform> rest: f32;
@compute @workgroup_size(32)
fn main(@builtin(local_invocation_index) t: u32, @builtin(workgroup_id) w: vec3u) {
    node[t] = ropes[w.x * 64u + t].xyz;
    node[t + 32u] = ropes[w.x * 64u + 32u + t].xyz;
    workgroupBarrier();
    for (var r = 0u; r < ROUNDS; r++) {
        for (var parity = 0u; parity < 2u; parity++) {
            let i = 2u * t + parity;
            if i + 1u < 64u {
                let d = node[i + 1u] - node[i];
                let fix = 0.5 * (length(d) - rest) * normalize(d + vec3f(1e-9));
                node[i] += fix;
                node[i + 1u] -= fix;
            }
            workgroupBarrier();
        }
    }
    ropes[w.x * 64u + t] = vec4f(node[t], 1.0);
    ropes[w.x * 64u + 32u + t] = vec4f(node[t + 32u], 1.0);
}
