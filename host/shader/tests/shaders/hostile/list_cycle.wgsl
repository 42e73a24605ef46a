// entry: main, expect: fuel, unchecked: ends or timeout, workgroups: 1 1 1, fuel: 500000
// follows a linked list that the data make a cycle
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@group(0) @binding(1) var<storage, read> next: array<u32>;
@compute @workgroup_size(1)
fn main() {
    var at = 7u;
    while at != 0xffffffffu {
        at = next[at];
        out[at] += 1u;
    }
}
