//! π from random points: the share of the unit square that lies in the quarter disc, times four.
//!
//! The number of samples is a dimension: element `b` of the output holds the hits of block `b`, and a
//! block is [`BLOCK_SAMPLES`] points from generators of its own. So the hits of a block depend on the
//! seed and on its index alone, however the launch is cut, and the cost is known beforehand.
//!
//! The generator is XORWOW (G. Marsaglia, *Xorshift RNGs*, J. Stat. Software 8(14), 2003; cuRAND's
//! default), seeded from SplitMix64. It needs only shifts, exclusive ors and additions, so that
//! [`LANES`] of them run side by side in SIMD; a rotation would be scalar code in Wasm.

#[cfg(test)]
mod reference;

use hotcell_guest::prelude::*;

hotcell_guest::export!(hits, estimate);

/// Points in each block: 200 blocks are 10⁷ points.
pub const BLOCK_SAMPLES: usize = 50_000;

/// Generators side by side; divides [`BLOCK_SAMPLES`].
pub const LANES: usize = 8;

/// The disc's radius, which is the square's side: coordinates are 24-bit whole numbers.
const RADIUS: f32 = 16_777_216.0;

/// Counts the points of each block that fall into the quarter disc.
#[kernel(
    sig = "->(blocks)",
    split = "blocks",
    cost = "50000*24*blocks",
    default(seed = 1)
)]
pub fn hits(seed: u64, chunk: Chunk, out: &mut [u32]) {
    for (i, hits) in out.iter_mut().enumerate() {
        if control::should_stop() {
            return;
        }
        *hits = block_hits(Lanes::new(seed, (chunk.start + i) as u64));
        control::progress(i as u64 + 1, chunk.len as u64);
    }
}

/// Turns the hits of all blocks into an estimate of π.
#[kernel(sig = "(blocks)->()", cost = "blocks + 3", weight = "light")]
pub fn estimate(hits: &[u32], out: &mut [f64]) {
    let samples = hits.len() as f64 * BLOCK_SAMPLES as f64;
    let total: u64 = hits.iter().map(|&n| u64::from(n)).sum();
    out[0] = 4.0 * total as f64 / samples;
}

fn block_hits(mut lanes: Lanes) -> u32 {
    let mut hits = [0_u32; LANES];
    for _ in 0..BLOCK_SAMPLES / LANES {
        let (x, y) = (lanes.next(), lanes.next());
        for lane in 0..LANES {
            let inside = x[lane] * x[lane] + y[lane] * y[lane] < RADIUS * RADIUS;
            hits[lane] = hits[lane].wrapping_add(u32::from(inside));
        }
    }
    hits.iter().sum()
}

/// The state of each lane's XORWOW: the five words of the shift register and the Weyl counter.
struct Lanes {
    register: [[u32; LANES]; 5],
    weyl: [u32; LANES],
}

impl Lanes {
    /// The generators of one block: lane `l` is generator `LANES·block + l` under the seed.
    fn new(seed: u64, block: u64) -> Self {
        let mut lanes = Self {
            register: [[0; LANES]; 5],
            weyl: [0; LANES],
        };
        for lane in 0..LANES {
            let generator = block.wrapping_mul(LANES as u64).wrapping_add(lane as u64);
            let (register, weyl) = state(seed, generator);
            for (i, word) in register.into_iter().enumerate() {
                lanes.register[i][lane] = word;
            }
            lanes.weyl[lane] = weyl;
        }
        lanes
    }

    /// The next number of each lane: a whole number, uniform below 2²⁴.
    #[inline(always)]
    fn next(&mut self) -> [f32; LANES] {
        let [x, y, z, w, v] = self.register;
        let (mut next, mut numbers) = ([0; LANES], [0.0; LANES]);
        for lane in 0..LANES {
            let t = x[lane] ^ (x[lane] >> 2);
            next[lane] = (v[lane] ^ (v[lane] << 4)) ^ (t ^ (t << 1));
            self.weyl[lane] = self.weyl[lane].wrapping_add(362_437);
            let word = next[lane].wrapping_add(self.weyl[lane]);
            numbers[lane] = (word >> 8) as f32;
        }
        self.register = [y, z, w, v, next];
        numbers
    }
}

/// The initial state of a generator: outputs 3·generator and the next two of SplitMix64.
///
/// SplitMix64 gives each 64-bit number once, so no two generators start alike and no register at 0.
fn state(seed: u64, generator: u64) -> ([u32; 5], u32) {
    let first = generator.wrapping_mul(3);
    let [a, b, c] = [0, 1, 2].map(|i| split_mix(seed, first.wrapping_add(i)));
    (
        [low(a), low(a >> 32), low(b), low(b >> 32), low(c)],
        low(c >> 32),
    )
}

#[expect(clippy::cast_possible_truncation, reason = "takes the low half")]
fn low(word: u64) -> u32 {
    word as u32
}

/// Output `i`, counted from 0, of SplitMix64 (G. Steele, D. Lea and C. Flood, 2014).
fn split_mix(seed: u64, i: u64) -> u64 {
    let step = i.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut z = seed.wrapping_add(step);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hotcell_values::Case;

    fn counted(seed: u64, start: usize, len: usize) -> Vec<u32> {
        let mut out = vec![0; len];
        let total = start + len;
        hits(seed, Chunk { start, len, total }, &mut out);
        out
    }

    #[test]
    fn hits_are_those_of_the_scalar_generator() {
        for seed in [0, 1, 0xdead_beef_0123_4567, u64::MAX] {
            assert_eq!(counted(seed, 0, 3), reference::hits(seed, 0, 3));
        }
        assert_eq!(counted(1, 0, 200), reference::hits(1, 0, 200));
    }

    #[test]
    fn hits_are_those_of_the_recurrences_in_python() {
        let case = Case::of(include_str!("../expected/python.json"));
        assert_eq!(counted(7, 0, 4), case.output::<u32>("out"));
    }

    #[test]
    fn a_block_depends_on_its_index_alone() {
        let whole = counted(7, 0, 5);
        assert_eq!(counted(7, 2, 3), whole[2..]);
        assert!(counted(7, 0, 0).is_empty());
        assert_ne!(counted(8, 0, 5), whole);
    }

    #[test]
    fn ten_million_samples_come_near_pi() {
        let mut pi = [0.0];
        estimate(&counted(1, 0, 200), &mut pi);
        // The standard error is 4·√(p(1−p)/10⁷) = 5.2e-4; four of them.
        assert!((pi[0] - std::f64::consts::PI).abs() < 2.1e-3, "{}", pi[0]);
    }

    #[test]
    fn no_blocks_estimate_nothing() {
        let mut pi = [0.0];
        estimate(&[], &mut pi);
        assert!(pi[0].is_nan());
    }
}
