// entry: main, constants:
// sieve of Eratosthenes over a segment of bits in private memory
@group(0) @binding(0) var<storage, read_write> primes: array<u32>;
@group(0) @binding(1) var<uniform> first: u32;
const SEGMENT = 1024u;
@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= arrayLength(&primes) { return; }
    var composite: array<u32, 32>;
    let lo = first + g.x * SEGMENT;
    for (var p = 2u; p * p < lo + SEGMENT; p++) {
        var m = max(p * p, (lo + p - 1u) / p * p);
        while m < lo + SEGMENT {
            composite[(m - lo) / 32u] |= 1u << ((m - lo) % 32u);
            m += p;
        }
    }
    var count = 0u;
    for (var i = 0; i < 32; i++) { count += 32u - countOneBits(composite[i]); }
    primes[g.x] = count;
}
