// entry: main, constants:
// lengths of runs found by nested loops with break and continue
@group(0) @binding(0) var<storage, read> symbols: array<u32>;
@group(0) @binding(1) var<storage, read_write> run_length: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    let n = arrayLength(&symbols);
    if g.x >= n { return; }
    if g.x > 0u && symbols[g.x - 1u] == symbols[g.x] {
        run_length[g.x] = 0u;
        return;
    }
    var len = 1u;
    loop {
        if g.x + len == n { break; }
        if symbols[g.x + len] != symbols[g.x] { break; }
        continuing { len++; }
    }
    run_length[g.x] = len;
}
