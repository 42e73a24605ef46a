// entry: clear count finish, constants:
// three entry points over one set of bindings
@group(0) @binding(0) var<storage, read> data: array<u32>;
@group(0) @binding(1) var<storage, read_write> table: array<atomic<u32>>;
@group(1) @binding(0) var<storage, read_write> summary: vec4u;
@compute @workgroup_size(64)
fn clear(@builtin(global_invocation_id) g: vec3u) {
    if g.x < arrayLength(&table) { atomicStore(&table[g.x], 0u); }
}
@compute @workgroup_size(128)
fn count(@builtin(global_invocation_id) g: vec3u) {
    if g.x < arrayLength(&data) { atomicAdd(&table[data[g.x] % arrayLength(&table)], 1u); }
}
@compute @workgroup_size(1)
fn finish() {
    var most = 0u;
    for (var i = 0u; i < arrayLength(&table); i++) { most = max(most, atomicLoad(&table[i])); }
    summary = vec4u(most, arrayLength(&table), arrayLength(&data), 1u);
}
