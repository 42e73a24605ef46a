// entry: main, constants:
// merges two sorted runs, each invocation finding its diagonal by bisection
@group(0) @binding(0) var<storage, read> a: array<u32>;
@group(0) @binding(1) var<storage, read> b: array<u32>;
@group(0) @binding(2) var<storage, read_write> merged: array<u32>;
const PER = 8u;
fn split(diagonal: u32) -> u32 {
    let na = arrayLength(&a);
    let nb = arrayLength(&b);
    var lo = select(0u, diagonal - nb, diagonal > nb);
    var hi = min(diagonal, na);
    while (lo < hi) {
        let mid = (lo + hi) / 2u;
        if a[mid] <= b[diagonal - 1u - mid] { lo = mid + 1u; } else { hi = mid; }
    }
    return lo;
}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    let start = g.x * PER;
    if start >= arrayLength(&merged) { return; }
    var i = split(start);
    var j = start - i;
    for (var k = start; k < min(start + PER, arrayLength(&merged)); k++) {
        if j >= arrayLength(&b) || (i < arrayLength(&a) && a[i] <= b[j]) {
            merged[k] = a[i];
            i++;
        } else {
            merged[k] = b[j];
            j++;
        }
    }
}
