//! The transform in double precision: what the kernel's results are held against.
//!
//! [`fft`] splits recursively by even and odd elements, with the library's sine and cosine; it is
//! tested against [`term`], which is the definition.

use std::f64::consts::TAU;

use hotcell_guest::prelude::*;

/// The spectrum of `x`, or its inverse, whose length is a power of two.
#[must_use]
pub(crate) fn fft(inverse: bool, x: &[Complex<f32>]) -> Vec<Complex<f64>> {
    let x: Vec<_> = x.iter().map(widen).collect();
    let scale = scale(inverse, x.len());
    let spectrum = transform(&x, sign(inverse));
    spectrum.into_iter().map(|x| x.scale(scale)).collect()
}

/// Element `k` of the spectrum of `x`, or of its inverse, summed term by term.
#[must_use]
pub(crate) fn term(inverse: bool, x: &[Complex<f32>], k: usize) -> Complex<f64> {
    let n = x.len();
    let mut sum = Complex::new(0.0, 0.0);
    for (j, x) in x.iter().enumerate() {
        sum += widen(x) * unit(sign(inverse), j * k % n, n);
    }
    sum.scale(scale(inverse, n))
}

fn transform(x: &[Complex<f64>], sign: f64) -> Vec<Complex<f64>> {
    let n = x.len();
    if n == 1 {
        return x.to_vec();
    }
    let part = |first| x.iter().copied().skip(first).step_by(2).collect::<Vec<_>>();
    let (even, odd) = (transform(&part(0), sign), transform(&part(1), sign));
    let mut out = vec![Complex::new(0.0, 0.0); n];
    for (k, (&even, &odd)) in even.iter().zip(&odd).enumerate() {
        let turned = odd * unit(sign, k, n);
        out[k] = even + turned;
        out[k + n / 2] = even - turned;
    }
    out
}

fn sign(inverse: bool) -> f64 {
    if inverse { 1.0 } else { -1.0 }
}

fn scale(inverse: bool, n: usize) -> f64 {
    if inverse { 1.0 / n as f64 } else { 1.0 }
}

/// `exp(±2πi·k/n)`.
fn unit(sign: f64, k: usize, n: usize) -> Complex<f64> {
    let angle = sign * TAU * k as f64 / n as f64;
    Complex::new(angle.cos(), angle.sin())
}

fn widen(x: &Complex<f32>) -> Complex<f64> {
    Complex::new(f64::from(x.re), f64::from(x.im))
}
