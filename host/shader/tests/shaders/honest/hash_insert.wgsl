// entry: main, constants:
// inserts keys into an open-addressing table with linear probing
const EMPTY: u32 = 0xffffffffu;
@group(0) @binding(0) var<storage, read> keys: array<u32>;
@group(0) @binding(1) var<storage, read_write> slots: array<atomic<u32>>;
@group(0) @binding(2) var<storage, read_write> values: array<u32>;
fn murmur(key: u32) -> u32 {
    var h = key;
    h ^= h >> 16u;
    h *= 0x85ebca6bu;
    h ^= h >> 13u;
    h *= 0xc2b2ae35u;
    h ^= h >> 16u;
    return h;
}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= arrayLength(&keys) { return; }
    let capacity = arrayLength(&slots);
    let key = keys[g.x];
    var slot = murmur(key) % capacity;
    for (var probe = 0u; probe < capacity; probe++) {
        let old = atomicCompareExchangeWeak(&slots[slot], EMPTY, key);
        if old.exchanged || old.old_value == key {
            values[slot] = g.x;
            return;
        }
        if old.old_value != EMPTY { slot = (slot + 1u) % capacity; }
    }
}
