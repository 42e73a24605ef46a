// entry: main, constants: DEGREE=7
// evaluates a polynomial of override degree by Horner's rule
override DEGREE: u32 = 4u;
@group(0) @binding(0) var<storage, read> coefficients: array<f32>;
@group(0) @binding(1) var<storage, read_write> values: array<f32>;
@compute @workgroup_size(64, 1, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= arrayLength(&values)) { return; }
    let t = values[id.x];
    var acc = coefficients[DEGREE];
    for (var k = DEGREE; k > 0u; k--) {
        acc = acc * t + coefficients[k - 1u];
    }
    values[id.x] = acc;
}
