// entry: main, constants:
// looks keys up with quadratic probing until found or an empty slot
@group(0) @binding(0) var<storage, read> queries: array<u32>;
@group(0) @binding(1) var<storage, read> table: array<vec2u>;
@group(0) @binding(2) var<storage, read_write> answers: array<u32>;
@compute @workgroup_size(128)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= arrayLength(&queries) { return; }
    let mask = arrayLength(&table) - 1u;
    let key = queries[g.x];
    var at = (key * 2654435769u) & mask;
    var step = 1u;
    var answer = 0u;
    loop {
        let entry = table[at];
        if entry.x == key { answer = entry.y; break; }
        if entry.x == 0u { break; }
        at = (at + step) & mask;
        step++;
        if step > mask { break; }
    }
    answers[g.x] = answer;
}
