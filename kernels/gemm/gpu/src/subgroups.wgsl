// The product of two matrices without workgroup memory: a subgroup computes 8 rows by 4 columns to a
// lane. For as many terms as there are lanes, each lane loads one element of each row of a, and the
// others have it by a shuffle; b is read by rows, neighbouring lanes side by side.

struct Shape {
    m: u32,
    k: u32,
    n: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> product: array<f32>;

// The size of a subgroup.
override LANES: u32;

const ROWS = 8u;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let row = (group.y * (256u / LANES) + subgroup) * ROWS;
    let column = group.x * 4u * LANES + lane;
    var sums = array<vec4<f32>, ROWS>();
    let panels = (shape.k + LANES - 1u) / LANES;
    for (var panel = 0u; panel < panels; panel++) {
        let first = panel * LANES;
        var held = array<f32, ROWS>();
        for (var i = 0u; i < ROWS; i++) {
            if row + i < shape.m && first + lane < shape.k {
                held[i] = a[(row + i) * shape.k + first + lane];
            }
        }
        // A sum of its own for each panel: the rounding error then grows with the panels, not the terms.
        var parts = array<vec4<f32>, ROWS>();
        for (var term = 0u; term < LANES; term++) {
            let right = terms(first + term, column);
            for (var i = 0u; i < ROWS; i++) {
                parts[i] += subgroupShuffle(held[i], term) * right;
            }
        }
        for (var i = 0u; i < ROWS; i++) {
            sums[i] += parts[i];
        }
    }
    for (var i = 0u; i < ROWS; i++) {
        for (var j = 0u; j < 4u; j++) {
            let at = column + j * LANES;
            if row + i < shape.m && at < shape.n {
                product[(row + i) * shape.n + at] = sums[i][j];
            }
        }
    }
}

// The lane's four elements of one row of b; beyond the matrix there are zeros.
fn terms(row: u32, column: u32) -> vec4<f32> {
    var found = vec4<f32>();
    if row < shape.k {
        for (var j = 0u; j < 4u; j++) {
            let at = column + j * LANES;
            if at < shape.n {
                found[j] = b[row * shape.n + at];
            }
        }
    }
    return found;
}
