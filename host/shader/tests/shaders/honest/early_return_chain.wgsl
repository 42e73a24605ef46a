// entry: main, constants:
// several early exits without any barrier
struct Item { kind: u32, weight: f32, next: u32 }
@group(0) @binding(0) var<storage, read> items: array<Item>;
@group(0) @binding(1) var<storage, read_write> price: array<f32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= arrayLength(&items) { return; }
    let item = items[g.x];
    if item.kind == 0u { return; }
    if item.weight <= 0.0 {
        price[g.x] = 0.0;
        return;
    }
    var total = item.weight;
    var at = item.next;
    for (var hop = 0; hop < 8; hop++) {
        if at >= arrayLength(&items) { break; }
        total += items[at].weight;
        at = items[at].next;
    }
    price[g.x] = total;
}
