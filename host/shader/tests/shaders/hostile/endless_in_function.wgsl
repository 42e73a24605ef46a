// entry: main, expect: fuel, unchecked: ends or timeout, workgroups: 1 1 1, fuel: 500000
// the endless loop hides two calls deep and would return from inside
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
fn inner(p: ptr<function, u32>) -> u32 {
    loop {
        *p += 1u;
        out[0] = *p;
        if out[1] == 77u { return *p; }
    }
    return 0u;
}
fn outer(x: u32) -> u32 {
    var v = x;
    return inner(&v) + 1u;
}
@compute @workgroup_size(1)
fn main() { out[2] = outer(3u); }
