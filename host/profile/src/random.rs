//! Numbers that look random and are a function of a seed: SplitMix64 (Steele, Lea and Flood, *Fast splittable pseudorandom
//! number generators*, 2014). What is made from them is to be made again by anybody, on any machine.

/// A generator. Two with one seed give the same numbers.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// A generator for one use of a seed; each use has numbers of its own.
    pub(crate) fn new(seed: u64, purpose: &str) -> Self {
        // FNV-1a, so that a purpose is a number.
        let named = purpose.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        let mut random = Self(seed ^ named);
        random.next();
        random
    }

    /// 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// From 0 up to 1, which it never is.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// One of `0..bound`; 0 where that is empty.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let bound = bound.max(1) as u64;
        usize::try_from(self.next() % bound).unwrap_or(0)
    }

    /// One of those; `None` where there is none.
    pub(crate) fn one_of<'a, T>(&mut self, choices: &'a [T]) -> Option<&'a T> {
        choices.get(self.below(choices.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_and_purposes_have_numbers_of_their_own() {
        let first = |seed, purpose| Random::new(seed, purpose).next();
        assert_eq!(first(1, "x"), first(1, "x"));
        assert_ne!(first(1, "x"), first(1, "y"));
        assert_ne!(first(1, "x"), first(2, "x"));
        let mut random = Random::new(7, "unit");
        assert!(
            (0..1000)
                .map(|_| random.unit())
                .all(|u| (0.0..1.0).contains(&u))
        );
    }
}
