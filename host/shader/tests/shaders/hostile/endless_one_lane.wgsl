// entry: main, expect: fuel, unchecked: ends or timeout, workgroups: 2 1 1, fuel: 500000
// one invocation of many never ends, the rest are done at once
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x == 100u {
        loop {
            out[100] += 1u;
            if out[101] == 1u { break; }
        }
    } else {
        out[g.x & 63u] = g.x;
    }
}
