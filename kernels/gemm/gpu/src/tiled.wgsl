// The product of two matrices by tiles of 64 × 64: a workgroup stages 16 columns of a and 16 rows of b
// at a time, and each of its 16 × 16 invocations adds to 4 × 4 elements.

struct Shape {
    m: u32,
    k: u32,
    n: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> product: array<f32>;

const TILE = 64u;
const DEPTH = 16u;
const LANES = 256u;

// Both by term; four rows of a and four columns of b to a vector.
var<workgroup> left: array<array<vec4<f32>, 16>, DEPTH>;
var<workgroup> right: array<array<vec4<f32>, 16>, DEPTH>;

@compute @workgroup_size(16, 16)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let row = group.y * TILE;
    let column = group.x * TILE;
    var sums = array<vec4<f32>, 4>();
    let panels = (shape.k + DEPTH - 1u) / DEPTH;
    for (var panel = 0u; panel < panels; panel++) {
        stage(row, column, panel * DEPTH, lane);
        workgroupBarrier();
        // A sum of its own for each panel: the rounding error then grows with the panels, not the terms.
        var parts = array<vec4<f32>, 4>();
        for (var term = 0u; term < DEPTH; term++) {
            let l = left[term][local.y];
            let r = right[term][local.x];
            parts[0] += l.x * r;
            parts[1] += l.y * r;
            parts[2] += l.z * r;
            parts[3] += l.w * r;
        }
        for (var i = 0u; i < 4u; i++) {
            sums[i] += parts[i];
        }
        workgroupBarrier();
    }
    for (var i = 0u; i < 4u; i++) {
        let to = row + 4u * local.y + i;
        for (var j = 0u; j < 4u; j++) {
            let at = column + 4u * local.x + j;
            if to < shape.m && at < shape.n {
                product[to * shape.n + at] = sums[i][j];
            }
        }
    }
}

// Loads both panels from the term `first` on: neighbouring lanes read neighbouring memory. Beyond the
// matrices there are zeros.
fn stage(row: u32, column: u32, first: u32, lane: u32) {
    for (var step = 0u; step < TILE * DEPTH / LANES; step++) {
        let i = step * LANES + lane;
        let term_a = i % DEPTH;
        let row_a = i / DEPTH;
        var value = 0.0;
        if row + row_a < shape.m && first + term_a < shape.k {
            value = a[(row + row_a) * shape.k + first + term_a];
        }
        left[term_a][row_a / 4u][row_a % 4u] = value;
        let column_b = i % TILE;
        let term_b = i / TILE;
        value = 0.0;
        if first + term_b < shape.k && column + column_b < shape.n {
            value = b[(first + term_b) * shape.n + column + column_b];
        }
        right[term_b][column_b / 4u][column_b % 4u] = value;
    }
}
