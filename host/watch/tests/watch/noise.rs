//! Numbers that vary as measurements do, the same in each run.

/// A source of numbers: xorshift64*. Source: S. Vigna, "An experimental exploration of Marsaglia's xorshift generators,
/// scrambled", ACM Transactions on Mathematical Software 42 (2016).
pub(crate) struct Noise(u64);

impl Noise {
    /// The numbers of one seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Uniform in [0, 1).
    pub(crate) fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let bits = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        f64::from(u32::try_from(bits).unwrap()) / 4_294_967_296.0
    }

    /// A factor whose logarithm is normal with that deviation: the Box-Muller transform.
    pub(crate) fn factor(&mut self, deviation: f64) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        let normal = radius * (std::f64::consts::TAU * self.uniform()).cos();
        (deviation * normal).exp()
    }
}
