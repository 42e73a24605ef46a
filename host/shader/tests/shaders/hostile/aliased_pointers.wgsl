// entry: main, expect: refused point into the same variable, unchecked: any, workgroups: 1 1 1, fuel: 1000000
// two pointers to one loop counter, written through one of them
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
fn both(a: ptr<function, u32>, b: ptr<function, u32>) { *a = *b + 1u; *b = 0u; }
@compute @workgroup_size(1)
fn main() {
    for (var i = 0u; i < 10u; i++) {
        both(&i, &i);
        out[i & 63u] += 1u;
    }
}
