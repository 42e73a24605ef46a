// entry: main, expect: refused, unchecked: any, workgroups: 1 1 1, fuel: 1000000
// an array of bindings indexed by data
struct Words { w: array<u32> }
@group(0) @binding(0) var<storage, read_write> many: binding_array<Words, 8>;
@compute @workgroup_size(1)
fn main() { many[many[0].w[0]].w[0] = 1u; }
