//! fft: the discrete Fourier transform of a power of two of complex numbers, strided memory access.
//!
//! Stockham's arrangement of the radix-2 transform (W. T. Cochran et al., *What is the fast Fourier
//! transform?*, 1967): each pass reads two halves and writes pairs of blocks, so the result comes out
//! in order without a bit reversal. Real and imaginary parts are kept in planes of their own, which
//! lets every pass work on whole vectors. Signs and scaling are NumPy's: `exp(−2πi·jk/n)` forwards,
//! and the inverse divides by `n`. The listed sizes, 2¹⁵ and 2¹⁸, are NPBench's S and M.

use hotcell_guest::prelude::*;

mod planes;
#[cfg(test)]
mod reference;
mod stage;
mod twiddles;

use planes::Planes;
use twiddles::twiddles;

/// Transforms `x` to its spectrum, or back where `inverse` is set. `n` must be a power of two.
#[kernel(sig = "(n)->(n)", cost = "5*n*log2ceil(n)", default(inverse = false))]
pub fn fft(inverse: bool, x: &[Complex<f32>], out: &mut [Complex<f32>]) -> Result<(), String> {
    let n = x.len();
    if !n.is_power_of_two() {
        return Err(format!(
            "n is {n}, but a radix-2 transform needs a power of two"
        ));
    }
    let mut planes = Planes::from_complex(x);
    let mut spare = Planes::zeros(n);
    let factors = twiddles(n, inverse);
    let mut stride = 1;
    while stride < n {
        stage::run(&planes, &mut spare, &factors, stride);
        std::mem::swap(&mut planes, &mut spare);
        stride *= 2;
    }
    planes.write_complex(if inverse { 1.0 / n as f32 } else { 1.0 }, out);
    Ok(())
}

hotcell_guest::export!(fft);

#[cfg(test)]
mod tests;
