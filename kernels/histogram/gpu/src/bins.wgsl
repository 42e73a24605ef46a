// Counts and sums of the samples in each bin. A workgroup takes 4096 samples and counts those of 1024
// bins in its own memory, then adds to all workgroups' sums. A sum is a 64-bit integer in two words.

struct Parameters {
    samples: u32,
    bins: u32,
    // The largest exponent of the data, as it is stored.
    exponent: u32,
    // By how many bits a value of that exponent is shifted to the left.
    shift: u32,
}

struct Bin {
    low: atomic<u32>,
    high: atomic<u32>,
    count: atomic<u32>,
    // 1 for a NaN, 2 for an infinity, 4 for a negative one.
    flags: atomic<u32>,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read> data: array<u32>;
@group(0) @binding(2) var<storage, read> radius: array<u32>;
// Where each bin begins, by keys as in `extent.wgsl`.
@group(0) @binding(3) var<storage, read> edges: array<u32>;
@group(0) @binding(4) var<storage, read_write> sums: array<Bin>;

const LANES = 256u;
const STEPS = 16u;
const WINDOW = 1024u;

var<workgroup> bins: array<Bin, WINDOW>;

@compute @workgroup_size(LANES)
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) count: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let first = (id.y * count.x + id.x) * STEPS * LANES + lane;
    let window = id.z * WINDOW;
    let levels = 32u - countLeadingZeros(parameters.bins);
    for (var step = 0u; step < STEPS; step++) {
        let i = first + step * LANES;
        if i < parameters.samples {
            let bin = bin_of(key(radius[i]), levels) - window;
            // What lies before the window has wrapped around.
            if bin < WINDOW {
                add(bin, data[i]);
            }
        }
    }
    workgroupBarrier();
    for (var step = 0u; step < WINDOW / LANES; step++) {
        let bin = step * LANES + lane;
        let total = window + bin;
        let members = atomicLoad(&bins[bin].count);
        if total < parameters.bins && members > 0u {
            let low = atomicLoad(&bins[bin].low);
            let old = atomicAdd(&sums[total].low, low);
            atomicAdd(&sums[total].high, atomicLoad(&bins[bin].high) + carry(old, low));
            atomicAdd(&sums[total].count, members);
            atomicOr(&sums[total].flags, atomicLoad(&bins[bin].flags));
        }
    }
}

// The last bin that begins at or before the key, from the highest bit of its number down.
fn bin_of(key: u32, levels: u32) -> u32 {
    var bin = 0u;
    for (var level = 0u; level < levels; level++) {
        let next = bin | (1u << (levels - 1u - level));
        if next < parameters.bins && edges[next] <= key {
            bin = next;
        }
    }
    return bin;
}

// Adds a value to a bin of the window, as an integer.
fn add(bin: u32, bits: u32) {
    atomicAdd(&bins[bin].count, 1u);
    let exponent = (bits >> 23u) & 255u;
    let fraction = bits & 0x007fffffu;
    if exponent == 255u {
        let infinite = select(2u, 4u, bits >> 31u == 1u);
        atomicOr(&bins[bin].flags, select(infinite, 1u, fraction != 0u));
        return;
    }
    let digits = select(fraction | 0x00800000u, fraction, exponent == 0u);
    // What the largest values have more of.
    let below = parameters.exponent - max(exponent, 1u);
    var low = digits >> min(below - min(below, parameters.shift), 31u);
    var high = 0u;
    if below < parameters.shift {
        let left = parameters.shift - below;
        low = digits << left;
        high = (digits >> 1u) >> (31u - left);
    }
    if bits >> 31u == 1u {
        low = ~low + 1u;
        high = ~high + select(0u, 1u, low == 0u);
    }
    let old = atomicAdd(&bins[bin].low, low);
    atomicAdd(&bins[bin].high, high + carry(old, low));
}

// 1 if the sum of the two does not fit a word.
fn carry(old: u32, added: u32) -> u32 {
    return select(0u, 1u, old + added < old);
}

// An integer in the order of the numbers; both zeros have one.
fn key(bits: u32) -> u32 {
    if bits > 0x80000000u {
        return ~bits;
    }
    return bits | 0x80000000u;
}
