// entry: main, constants:
// dynamic programming over items, a barrier for each item
var<workgroup> best: array<u32, 256>;
struct Item { weight: u32, value: u32 }
@group(0) @binding(0) var<storage, read> items: array<Item>;
@group(0) @binding(1) var<storage, read_write> table: array<u32>;
@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) capacity: u32) {
    for (var i = 0u; i < arrayLength(&items); i++) {
        let item = items[i];
        var with_it = 0u;
        if capacity >= item.weight { with_it = best[capacity - item.weight] + item.value; }
        let without = best[capacity];
        workgroupBarrier();
        best[capacity] = max(with_it, without);
        workgroupBarrier();
    }
    table[capacity] = best[capacity];
}
