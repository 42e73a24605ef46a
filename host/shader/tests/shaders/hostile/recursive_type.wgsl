// entry: main, expect: refused, unchecked: any, workgroups: 1 1 1, fuel: 1000000
// a struct that holds itself
struct Node { value: u32, rest: array<Node, 2> }
@group(0) @binding(0) var<storage, read_write> out: array<Node>;
@compute @workgroup_size(1)
fn main() { out[0].value = 1u; }
