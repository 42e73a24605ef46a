// entry: main, expect: fuel, unchecked: ends or timeout, workgroups: 1 1 1, fuel: 500000
// a bound in a local variable that the body pushes on
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
@compute @workgroup_size(1)
fn main() {
    var bound = 8u;
    for (var i = 0u; i < bound; i++) {
        if (i & 1u) == 0u { bound += 2u; }
        out[i & 63u] += bound;
    }
}
