//! The same points drawn one after the other from scalar generators.

use crate::{BLOCK_SAMPLES, LANES};

/// The hits of `len` blocks from block `start` on.
///
/// Sample `s` of a block is drawn from the block's generator `s mod LANES`: its x, then its y.
pub(crate) fn hits(seed: u64, start: u64, len: u64) -> Vec<u32> {
    (start..start + len)
        .map(|block| block_hits(seed, block))
        .collect()
}

fn block_hits(seed: u64, block: u64) -> u32 {
    let lanes = LANES as u64;
    let mut generators: Vec<_> = (0..lanes)
        .map(|lane| XorWow::numbered(seed, block * lanes + lane))
        .collect();
    let mut hits = 0;
    for sample in 0..BLOCK_SAMPLES {
        let generator = &mut generators[sample % LANES];
        let (x, y) = (generator.unit(), generator.unit());
        hits += u32::from(x * x + y * y < 1.0);
    }
    hits
}

/// Marsaglia's generator as in his paper, section 3.1.
struct XorWow {
    x: u32,
    y: u32,
    z: u32,
    w: u32,
    v: u32,
    d: u32,
}

impl XorWow {
    fn numbered(seed: u64, generator: u64) -> Self {
        let mut mix = SplitMix(seed);
        let skipped = generator * 3;
        mix.0 = mix.0.wrapping_add(skipped.wrapping_mul(SplitMix::GAMMA));
        let [(x, y), (z, w), (v, d)] = [mix.halves(), mix.halves(), mix.halves()];
        Self { x, y, z, w, v, d }
    }

    fn draw(&mut self) -> u32 {
        let t = self.x ^ (self.x >> 2);
        (self.x, self.y, self.z, self.w) = (self.y, self.z, self.w, self.v);
        self.v = (self.v ^ (self.v << 4)) ^ (t ^ (t << 1));
        self.d = self.d.wrapping_add(362_437);
        self.d.wrapping_add(self.v)
    }

    /// The upper 24 bits as a fraction.
    fn unit(&mut self) -> f32 {
        (self.draw() >> 8) as f32 / 16_777_216.0
    }
}

struct SplitMix(u64);

impl SplitMix {
    const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(Self::GAMMA);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// The next number's low and high half.
    #[expect(clippy::cast_possible_truncation, reason = "takes halves")]
    fn halves(&mut self) -> (u32, u32) {
        let word = self.draw();
        (word as u32, (word >> 32) as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xorwow_gives_the_numbers_of_the_paper_s_seeds() {
        let (x, y, z, w) = (123_456_789, 362_436_069, 521_288_629, 88_675_123);
        let mut generator = XorWow {
            x,
            y,
            z,
            w,
            v: 5_783_321,
            d: 6_615_241,
        };
        let drawn = [(); 4].map(|()| generator.draw());
        assert_eq!(
            drawn,
            [246_875_399, 3_690_007_200, 1_264_581_005, 3_906_711_041]
        );
    }

    #[test]
    fn split_mix_gives_its_published_numbers() {
        let mut mix = SplitMix(1_234_567);
        let drawn = [mix.draw(), mix.draw(), mix.draw()];
        let published = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
        ];
        assert_eq!(drawn, published);
    }
}
