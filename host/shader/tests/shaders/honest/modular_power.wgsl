// entry: main, constants:
// modular exponentiation by squaring with 16-bit moduli
@group(0) @binding(0) var<storage, read> base_exp: array<vec2u>;
@group(0) @binding(1) var<storage, read_write> result: array<u32>;
@group(0) @binding(2) var<uniform> modulus: u32;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x >= arrayLength(&result) { return; }
    var b = base_exp[g.x].x % modulus;
    var e = base_exp[g.x].y;
    var r = 1u;
    while e > 0u {
        if (e & 1u) != 0u { r = r * b % modulus; }
        b = b * b % modulus;
        e >>= 1u;
    }
    result[g.x] = r;
}
