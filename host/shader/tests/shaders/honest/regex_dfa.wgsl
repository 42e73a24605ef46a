// entry: main, constants:
// runs a table-driven automaton over lines
@group(0) @binding(0) var<storage, read> transition: array<u32, 2048>;
@group(0) @binding(1) var<storage, read> text: array<u32>;
@group(0) @binding(2) var<storage, read> line_start: array<u32>;
@group(0) @binding(3) var<storage, read_write> accepts: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x + 1u >= arrayLength(&line_start) { return; }
    var state = 0u;
    for (var i = line_start[g.x]; i != line_start[g.x + 1u]; i++) {
        let byte = (text[i >> 2u] >> ((i & 3u) * 8u)) & 0x7fu;
        state = transition[(state & 15u) * 128u + byte];
        if state == 15u { break; }
    }
    accepts[g.x] = u32(state == 14u);
}
