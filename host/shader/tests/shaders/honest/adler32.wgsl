// entry: main, constants:
// Adler-32 with a deferred modulo
@group(0) @binding(0) var<storage, read> chunk: array<array<u32, 16>>;
@group(0) @binding(1) var<storage, read_write> sums: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= arrayLength(&sums) { return; }
    var a = 1u;
    var b = 0u;
    for (var w = 0u; w < 16u; w++) {
        let word = chunk[g.x][w];
        for (var k = 0u; k < 32u; k += 8u) {
            a += (word >> k) & 255u;
            b += a;
        }
    }
    sums[g.x] = ((b % 65521u) << 16u) | (a % 65521u);
}
