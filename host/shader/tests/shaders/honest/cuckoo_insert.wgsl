// entry: main, constants: MAX_KICKS=40
// cuckoo hashing with a bounded chain of evictions
override MAX_KICKS: u32 = 32u;
@group(0) @binding(0) var<storage, read> keys: array<u32>;
@group(0) @binding(1) var<storage, read_write> table: array<atomic<u32>>;
@group(0) @binding(2) var<storage, read_write> failures: atomic<u32>;
fn h(which: u32, key: u32) -> u32 {
    var mult = array<u32, 2>(0x9e3779b1u, 0x85ebca77u);
    return (key * mult[which & 1u]) % arrayLength(&table);
}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= arrayLength(&keys) { return; }
    var key = keys[g.x];
    var which = 0u;
    var kicks = 0u;
    loop {
        key = atomicExchange(&table[h(which, key)], key);
        if key == 0u { return; }
        which ^= 1u;
        kicks++;
        if kicks > MAX_KICKS {
            atomicAdd(&failures, 1u);
            break;
        }
    }
}
