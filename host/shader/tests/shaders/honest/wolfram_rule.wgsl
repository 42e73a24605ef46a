// entry: main, constants:
// elementary cellular automaton over packed bits
@group(0) @binding(0) var<storage, read> line_in: array<u32>;
@group(0) @binding(1) var<storage, read_write> line_out: array<u32>;
@group(0) @binding(2) var<uniform> rule: u32;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    let words = arrayLength(&line_in);
    if g.x >= words { return; }
    let left = line_in[(g.x + words - 1u) % words];
    let here = line_in[g.x];
    let right = line_in[(g.x + 1u) % words];
    var result = 0u;
    for (var bit = 0u; bit < 32u; bit++) {
        let l = select((here >> (bit - 1u)) & 1u, left >> 31u, bit == 0u);
        let r = select((here >> (bit + 1u)) & 1u, right & 1u, bit == 31u);
        let pattern = (l << 2u) | (((here >> bit) & 1u) << 1u) | r;
        result |= ((rule >> pattern) & 1u) << bit;
    }
    line_out[g.x] = result;
}
