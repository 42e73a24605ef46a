// How many of the first iterates of z ← z² + c stay below the horizon, as a colour.

struct Shape {
    height: u32,
    width: u32,
    limit: u32,
    // Units of a pixel.
    scale: f32,
    // Always 0, which no compiler knows: see `rounded`.
    zero: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> palette: array<u32>;
// The imaginary part of c for each frame.
@group(0) @binding(2) var<storage, read> constants: array<f32>;
@group(0) @binding(3) var<storage, read_write> pixels: array<u32>;

// |z|² from which a point counts as escaped.
const HORIZON_SQUARED = 400.0;

@compute @workgroup_size(16, 16)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= shape.width || id.y >= shape.height {
        return;
    }
    let c_im = constants[id.z];
    var re = (f32(id.x) - 0.5 * f32(shape.width)) * shape.scale;
    var im = (f32(shape.height - 1u - id.y) - 0.5 * f32(shape.height)) * shape.scale;
    var count = 0u;
    for (var i = 0u; i < shape.limit; i++) {
        let re2 = rounded(re * re);
        let im2 = rounded(im * im);
        if !(re2 + im2 < HORIZON_SQUARED) {
            break;
        }
        count++;
        im = rounded(2.0 * re * im) + c_im;
        re = rounded(re2 - im2) - 0.8;
    }
    pixels[(id.z * shape.height + id.y) * shape.width + id.x] = palette[count];
}

// A value as single precision rounds it. What stands between it and the next operation keeps a driver
// from making one of the two, with one rounding, and from taking them in another order.
fn rounded(value: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(value) ^ shape.zero);
}
