// entry: main, constants:
// a tiny bytecode interpreter with a stack, bounded steps and a switch
struct Program { length: u32, steps: u32 }
@group(0) @binding(0) var<uniform> program: Program;
@group(0) @binding(1) var<storage, read> code: array<u32>;
@group(0) @binding(2) var<storage, read_write> value: array<i32>;
@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= arrayLength(&value) { return; }
    var stack: array<i32, 16>;
    var sp = 0u;
    var pc = 0u;
    for (var step = 0u; step < program.steps; step++) {
        if pc >= program.length { break; }
        let op = code[pc];
        pc++;
        switch op & 7u {
            case 0u: { stack[sp & 15u] = i32(op >> 3u); sp++; }
            case 1u: { stack[sp & 15u] = value[g.x]; sp++; }
            case 2u: { sp--; stack[(sp - 1u) & 15u] += stack[sp & 15u]; }
            case 3u: { sp--; stack[(sp - 1u) & 15u] *= stack[sp & 15u]; }
            case 4u: { sp--; if stack[sp & 15u] != 0 { pc = op >> 3u; } }
            case 5u: { stack[sp & 15u] = stack[(sp - 1u) & 15u]; sp++; }
            case 6u, default: { break; }
        }
    }
    value[g.x] = stack[(sp - 1u) & 15u];
}
