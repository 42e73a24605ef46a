//! Random choices from a seed, and bits that are often NaNs.

/// The generator of Marsaglia's *Xorshift RNGs* (2003), with the shifts 13, 7, 17.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Self((seed ^ 0x9e37_79b9_7f4a_7c15).max(1));
        for _ in 0..8 {
            random.next();
        }
        random
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(super) fn below(&mut self, bound: u32) -> u32 {
        (self.u32() >> 4) % bound.max(1)
    }

    pub(super) fn one_in(&mut self, count: u32) -> bool {
        self.below(count) == 0
    }

    pub(super) fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[1]
    }

    pub(super) fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(u32::try_from(of.len()).unwrap_or(1)) as usize].clone()
    }

    pub(super) fn u32(&mut self) -> u32 {
        self.next().to_le_bytes()[..4]
            .iter()
            .fold(0, |bits, byte| bits << 8 | u32::from(*byte))
    }

    /// A number in single precision, which is often a NaN with some payload and sign.
    pub(super) fn f32_bits(&mut self) -> u32 {
        let sign = self.u32() & 0x8000_0000;
        match self.below(10) {
            0 | 1 => sign | 0x7f80_0000 | (self.u32() & 0x003f_ffff).max(1),
            2 | 3 => sign | 0x7fc0_0000 | (self.u32() & 0x003f_ffff),
            4 => sign | 0x7fc0_0000,
            5 => sign | 0x7f80_0000,
            6 => sign,
            7 => u32::MAX,
            8 => self.u32(),
            _ => sign | (1.0 + self.below(64) as f32 / 8.0).to_bits(),
        }
    }

    /// As [`Random::f32_bits`], in double precision.
    pub(super) fn f64_bits(&mut self) -> u64 {
        let (sign, payload) = (self.next() & (1 << 63), self.next() & 0x0007_ffff_ffff_ffff);
        match self.below(11) {
            0 | 1 => sign | 0x7ff0_0000_0000_0000 | payload.max(1),
            2 | 3 => sign | 0x7ff8_0000_0000_0000 | payload,
            4 => sign | 0x7ff8_0000_0000_0000,
            5 => sign | 0x7ff0_0000_0000_0000,
            6 => sign,
            7 => u64::MAX,
            8 => self.next(),
            // Halves that are NaNs in single precision.
            9 => u64::from(self.f32_bits()) << 32 | u64::from(self.f32_bits()),
            _ => sign | (1.0 + f64::from(self.below(64)) / 8.0).to_bits(),
        }
    }

    /// Lanes of one width or the other.
    pub(super) fn v128_bits(&mut self) -> u128 {
        match self.below(3) {
            0 => (0..4).fold(0, |bits, _| bits << 32 | u128::from(self.f32_bits())),
            1 => (0..2).fold(0, |bits, _| bits << 64 | u128::from(self.f64_bits())),
            _ => u128::from(self.next()) << 64 | u128::from(self.next()),
        }
    }

    /// Bytes full of them.
    pub(super) fn memory(&mut self, len: usize) -> Vec<u8> {
        let blocks = (0..len.div_ceil(16)).flat_map(|_| self.v128_bits().to_le_bytes());
        blocks.take(len).collect()
    }
}
