// entry: main, constants:
// greatest common divisors by Euclid's algorithm
@group(0) @binding(0) var<storage, read_write> pair: array<vec2<u32>>;
fn gcd(x: u32, y: u32) -> u32 {
    var a = x;
    var b = y;
    while (b != 0u) {
        let r = a % b;
        a = b;
        b = r;
    }
    return a;
}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x < arrayLength(&pair)) {
        let p = pair[id.x];
        pair[id.x] = vec2<u32>(gcd(p.x, p.y), 0u);
    }
}
