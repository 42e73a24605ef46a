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
    let pairs = got.chunks_exact(width).zip(wanted.chunks_exact(width));
    let mut worst: Option<(f64, usize, f64, f64)> = None;
    let mut count = 0_u64;
    for (position, (got, wanted)) in pairs.enumerate().filter(|(_, (got, wanted))| got != wanted) {
        let (got, wanted) = (number(ty.dtype(), got)?, number(ty.dtype(), wanted)?);
        let excess = excess(got, wanted, tolerance);
        if excess > 0.0 {
            count += 1;
            if worst.is_none_or(|(most, ..)| excess > most) {
                worst = Some((excess, position, got, wanted));
            }
        }
    }
    let Some((_, position, got, wanted)) = worst else {
        return Ok(());
    };
    let values = wanted_values(ty, width);
    let element = position as u64 * ty.elements() / values;
    bail!(
        "{count} of {values} values of {ty} are off ({tolerance:?}); the worst is in element {element}: {got:?} for {wanted:?}"
    )
}

/// The numbers in an array whose elements consist of numbers of that width.
fn wanted_values(ty: &ArrayType, width: usize) -> u64 {
    ty.size_bytes() / width as u64
}

/// How far a value of other bytes is beyond what is allowed: 0 where it is not, infinite where no
/// distance says it.
fn excess(got: f64, wanted: f64, tolerance: Tolerance) -> f64 {
    if got.is_nan() && wanted.is_nan() {
        return 0.0;
    }
    let distance = (got - wanted).abs();
    let bound = match tolerance {
        // A zero of the other sign is another value, and so is an integer that rounds to the same.
        Tolerance::Exact => {
            return if distance > 0.0 {
                distance
            } else {
                f64::INFINITY
            };
        }
        Tolerance::Absolute(bound) => bound,
        Tolerance::Relative(bound) => bound * wanted.abs(),
    };
    match got.is_finite() && wanted.is_finite() {
        true if distance <= bound => 0.0,
        true => distance,
        false => f64::INFINITY,
    }
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

/// A number as a double: 64-bit integers are rounded.
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
        let bytes = |values: &[f32]| {
            values
                .iter()
                .flat_map(|x| x.to_le_bytes())
                .collect::<Vec<_>>()
        };
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
        let error = check(&[1.0, 2.5, 9.0], &[1.0, 2.0, 3.0], Tolerance::Exact)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("2 of 3") && error.contains("in element 2: 9.0 for 3.0"),
            "{error}"
        );
    }
}
