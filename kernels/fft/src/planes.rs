//! Complex numbers as two planes: all real parts, all imaginary parts.

use hotcell_guest::prelude::*;

/// Two planes of equal length.
pub(crate) struct Planes {
    pub(crate) re: Vec<f32>,
    pub(crate) im: Vec<f32>,
}

impl Planes {
    pub(crate) fn zeros(n: usize) -> Self {
        Self {
            re: vec![0.0; n],
            im: vec![0.0; n],
        }
    }

    pub(crate) fn from_complex(x: &[Complex<f32>]) -> Self {
        Self {
            re: x.iter().map(|x| x.re).collect(),
            im: x.iter().map(|x| x.im).collect(),
        }
    }

    /// Writes the numbers, each times `scale`.
    pub(crate) fn write_complex(&self, scale: f32, out: &mut [Complex<f32>]) {
        for ((out, re), im) in out.iter_mut().zip(&self.re).zip(&self.im) {
            *out = Complex::new(re * scale, im * scale);
        }
    }
}
