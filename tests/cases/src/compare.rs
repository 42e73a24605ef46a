//! Holding one array against another.

use anyhow::{Result, bail, ensure};
use hotcell_model::array::ArrayType;
use hotcell_model::manifest::DType;

/// How far a result may be off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tolerance {
    /// The same bytes; a NaN is any NaN.
    Exact,
    /// At most this far from what is wanted.
    Absolute(f64),
    /// At most this many times the wanted value's magnitude.
    Relative(f64),
}

/// Checks that `got` is within `tolerance` of `wanted`, both of type `ty`.
///
/// A NaN is wanted where a NaN is, and nowhere else; an infinity is wanted with its sign.
///
/// # Errors
/// Names the element that is farthest off, with both values.
pub fn compare(ty: &ArrayType, got: &[u8], wanted: &[u8], tolerance: Tolerance) -> Result<()> {
    ensure!(
        got.len() == wanted.len() && got.len() as u64 == ty.size_bytes(),
        "{} bytes where {ty} is wanted, which has {}",
        got.len(),
        ty.size_bytes()
    );
    if got == wanted {
        return Ok(());
    }
    let width = part_bytes(ty.dtype());
    let (mut worst, mut count) = (None, 0_u64);
    for (part, (got, wanted)) in got.chunks_exact(width).zip(wanted.chunks_exact(width)).enumerate() {
        let (got, wanted) = (number(ty.dtype(), got)?, number(ty.dtype(), wanted)?);
        let off = excess(got, wanted, tolerance);
        if off > 0.0 {
            count += 1;
            if worst.is_none_or(|(most, ..)| off > most) {
                worst = Some((off, part, got, wanted));
            }
        }
    }
    let Some((_, part, got, wanted)) = worst else {
        return Ok(());
    };
    let parts = width as u64 * ty.elements();
    let index = part as u64 / (ty.dtype().size_bytes() / width as u64);
    bail!(
        "{count} of {} values of {ty} are off ({tolerance:?}); the worst is element {index}: {got:?} for {wanted:?}",
        ty.size_bytes() * ty.elements() / parts.max(1)
    )
}

/// How far a value is beyond what is allowed; 0 where it is not, infinite where no distance says it.
fn excess(got: f64, wanted: f64, tolerance: Tolerance) -> f64 {
    if got.to_bits() == wanted.to_bits() || got.is_nan() && wanted.is_nan() {
        return 0.0;
    }
    if !got.is_finite() || !wanted.is_finite() {
        return f64::INFINITY;
    }
    let (distance, bound) = ((got - wanted).abs(), match tolerance {
        // A zero of the other sign is another value.
        Tolerance::Exact => return (got - wanted).abs().max(f64::MIN_POSITIVE),
        Tolerance::Absolute(bound) => bound,
        Tolerance::Relative(bound) => bound * wanted.abs(),
    });
    if distance <= bound { 0.0 } else { distance }
}

/// The size of the numbers that an element consists of.
fn part_bytes(dtype: DType) -> usize {
    match dtype {
        DType::Bool | DType::I8 | DType::U8 => 1,
        DType::I16 | DType::U16 | DType::F16 | DType::Bf16 => 2,
        DType::I32 | DType::U32 | DType::F32 | DType::Complex64 => 4,
        DType::I64 | DType::U64 | DType::F64 | DType::Complex128 => 8,
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "64-bit integers are equal here only if their bytes were; their distance may be rounded"
)]
fn number(dtype: DType, bytes: &[u8]) -> Result<f64> {
    Ok(match dtype {
        DType::Bool | DType::U8 => bytes[0].into(),
        DType::I8 => bytes[0].cast_signed().into(),
        DType::U16 => u16::from_le_bytes(bytes.try_into()?).into(),
        DType::I16 => i16::from_le_bytes(bytes.try_into()?).into(),
        DType::U32 => u32::from_le_bytes(bytes.try_into()?).into(),
        DType::I32 => i32::from_le_bytes(bytes.try_into()?).into(),
        DType::F32 | DType::Complex64 => f32::from_le_bytes(bytes.try_into()?).into(),
        DType::F64 | DType::Complex128 => f64::from_le_bytes(bytes.try_into()?),
        DType::U64 => u64::from_le_bytes(bytes.try_into()?) as f64,
        DType::I64 => i64::from_le_bytes(bytes.try_into()?) as f64,
        DType::F16 | DType::Bf16 => bail!("{dtype} is compared by its bytes alone"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(got: &[f32], wanted: &[f32], tolerance: Tolerance) -> Result<()> {
        let bytes = |values: &[f32]| values.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<_>>();
        let ty = ArrayType::new(DType::F32, [got.len() as u64]).unwrap();
        compare(&ty, &bytes(got), &bytes(wanted), tolerance)
    }

    #[test]
    fn bounds_hold_to_their_edge() {
        assert!(check(&[1.5], &[1.0], Tolerance::Absolute(0.5)).is_ok());
        assert!(check(&[1.5], &[1.0], Tolerance::Absolute(0.49)).is_err());
        assert!(check(&[110.0], &[100.0], Tolerance::Relative(0.1)).is_ok());
        assert!(check(&[111.0], &[100.0], Tolerance::Relative(0.1)).is_err());
        assert!(check(&[0.0], &[-0.0], Tolerance::Exact).is_err());
        assert!(check(&[0.0], &[-0.0], Tolerance::Absolute(0.0)).is_ok());
    }

    #[test]
    fn nans_match_nans_and_nothing_else() {
        let quiet = f32::NAN;
        let other = f32::from_bits(quiet.to_bits() | 1);
        assert!(check(&[quiet], &[other], Tolerance::Exact).is_ok());
        assert!(check(&[quiet], &[1.0], Tolerance::Absolute(f64::MAX)).is_err());
        assert!(check(&[1.0], &[quiet], Tolerance::Relative(f64::MAX)).is_err());
        assert!(check(&[f32::INFINITY], &[1.0], Tolerance::Absolute(f64::MAX)).is_err());
    }

    #[test]
    fn the_worst_element_is_named() {
        let error = check(&[1.0, 2.5, 9.0], &[1.0, 2.0, 3.0], Tolerance::Exact).unwrap_err().to_string();
        assert!(error.contains("2 of 3") && error.contains("element 2: 9.0 for 3.0"), "{error}");
    }
}
