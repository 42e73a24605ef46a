// The smallest and the largest radius, the largest exponent of the data, and the first radius that is
// not finite: all from the numbers' bits, as integers.

struct Parameters {
    samples: u32,
}

struct Extent {
    // Keys: see `key`.
    low: atomic<u32>,
    high: atomic<u32>,
    // The largest exponent of a finite value, as it is stored.
    exponent: atomic<u32>,
    first_bad: atomic<u32>,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read> data: array<u32>;
@group(0) @binding(2) var<storage, read> radius: array<u32>;
@group(0) @binding(3) var<storage, read_write> found: Extent;

const LANES = 256u;
const STEPS = 16u;
const EXPONENTS = 0x7f800000u;

var<workgroup> lowest: atomic<u32>;
var<workgroup> highest: atomic<u32>;
var<workgroup> exponent: atomic<u32>;

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    if lane == 0u {
        atomicStore(&lowest, 0xffffffffu);
    }
    workgroupBarrier();
    let first = (id.y * count.x + id.x) * STEPS * LANES + lane;
    var low = 0xffffffffu;
    var high = 0u;
    var most = 0u;
    for (var step = 0u; step < STEPS; step++) {
        let i = first + step * LANES;
        if i < parameters.samples {
            if (radius[i] & EXPONENTS) == EXPONENTS {
                atomicMin(&found.first_bad, i);
            }
            let k = key(radius[i]);
            low = min(low, k);
            high = max(high, k);
            let e = (data[i] & EXPONENTS) >> 23u;
            most = max(most, select(e, 0u, e == 255u));
        }
    }
    atomicMin(&lowest, low);
    atomicMax(&highest, high);
    atomicMax(&exponent, most);
    workgroupBarrier();
    if lane == 0u {
        atomicMin(&found.low, atomicLoad(&lowest));
        atomicMax(&found.high, atomicLoad(&highest));
        atomicMax(&found.exponent, atomicLoad(&exponent));
    }
}

// An integer in the order of the numbers; both zeros have one.
fn key(bits: u32) -> u32 {
    if bits > 0x80000000u {
        return ~bits;
    }
    return bits | 0x80000000u;
}
