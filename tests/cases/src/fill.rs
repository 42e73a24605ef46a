//! Deterministic content for inputs.

use crate::case::Fill;
use anyhow::{Result, bail, ensure};
use hotcell_model::array::ArrayType;
use hotcell_model::manifest::DType;

/// SplitMix64 (G. Steele, D. Lea and C. Flood, OOPSLA 2014), seeded by a name.
struct Numbers(u64);

impl Numbers {
    /// The stream of a name: FNV-1a of its bytes is the seed.
    fn of(name: &str) -> Self {
        let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        Self(name.bytes().fold(0xcbf2_9ce4_8422_2325, step))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in [0, 1) with 24 random bits, so that single precision holds it exactly.
    fn unit(&mut self) -> f64 {
        (self.next() >> 40) as f64 / f64::from(1 << 24)
    }

    /// An integer below `bound`, which is not 0; its bias is below 2⁻³² where `bound` is below 2³².
    fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.next()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or(u64::MAX)
    }
}

/// The bytes of an array of type `ty`, the content of `name`.
pub(crate) fn fill(fill: Fill, ty: &ArrayType, name: &str) -> Result<Vec<u8>> {
    let mut numbers = Numbers::of(name);
    let len = usize::try_from(ty.elements())?;
    let dtype = ty.dtype();
    let mut bytes = Vec::with_capacity(usize::try_from(ty.size_bytes())?);
    match fill {
        Fill::Uniform([low, high]) => {
            ensure!(low < high, "{name}: uniform from {low} to {high}");
            put_floats(&mut bytes, dtype, len, |_| uniform(&mut numbers, low, high))?;
        }
        Fill::Integers([low, high]) => {
            ensure!(low < high, "{name}: integers from {low} to {high}");
            let span = high.abs_diff(low);
            for _ in 0..len {
                let value = i128::from(low) + i128::from(numbers.below(span));
                put_integer(&mut bytes, dtype, value)?;
            }
        }
        Fill::Zeros => bytes.resize(bytes.capacity(), 0),
        Fill::Linspace([first, last]) => {
            let step = (last - first) / (len.max(2) - 1) as f64;
            put_floats(&mut bytes, dtype, len, |i| first + step * i as f64)?;
        }
        Fill::Constant(value) => put_floats(&mut bytes, dtype, len, |_| value)?,
        Fill::CsrOffsets { rows, non_zeros } => {
            ensure!(ty.elements() == rows + 1, "{name}: {rows} rows in {ty}");
            for offset in csr_offsets(&mut numbers, rows, non_zeros)? {
                put_integer(&mut bytes, dtype, offset.into())?;
            }
        }
        Fill::Photo => {
            let [height, width, 4] = *ty.shape() else {
                bail!("{name}: a photo is (h,w,4), not {ty}");
            };
            ensure!(dtype == DType::U8, "{name}: a photo is u8, not {ty}");
            photo(&mut bytes, &mut numbers, height, width);
        }
    }
    Ok(bytes)
}

/// In [low, high), also after rounding to single precision.
fn uniform(numbers: &mut Numbers, low: f64, high: f64) -> f64 {
    low + (high - low) * numbers.unit() * (1.0 - f64::EPSILON)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "rounding to the array's precision is what it is for"
)]
fn put_floats(
    bytes: &mut Vec<u8>,
    dtype: DType,
    len: usize,
    mut value: impl FnMut(usize) -> f64,
) -> Result<()> {
    for i in 0..len {
        match dtype {
            DType::F32 => bytes.extend((value(i) as f32).to_le_bytes()),
            DType::F64 => bytes.extend(value(i).to_le_bytes()),
            DType::Complex64 => {
                bytes.extend((value(i) as f32).to_le_bytes());
                bytes.extend((value(i) as f32).to_le_bytes());
            }
            DType::Complex128 => {
                bytes.extend(value(i).to_le_bytes());
                bytes.extend(value(i).to_le_bytes());
            }
            other => bail!("{other} is not filled with fractions"),
        }
    }
    Ok(())
}

fn put_integer(bytes: &mut Vec<u8>, dtype: DType, value: i128) -> Result<()> {
    match dtype {
        DType::U8 => bytes.extend(u8::try_from(value)?.to_le_bytes()),
        DType::I8 => bytes.extend(i8::try_from(value)?.to_le_bytes()),
        DType::U16 => bytes.extend(u16::try_from(value)?.to_le_bytes()),
        DType::I16 => bytes.extend(i16::try_from(value)?.to_le_bytes()),
        DType::U32 => bytes.extend(u32::try_from(value)?.to_le_bytes()),
        DType::I32 => bytes.extend(i32::try_from(value)?.to_le_bytes()),
        DType::U64 => bytes.extend(u64::try_from(value)?.to_le_bytes()),
        DType::I64 => bytes.extend(i64::try_from(value)?.to_le_bytes()),
        other => bail!("{other} is not filled with integers"),
    }
    Ok(())
}

/// Each stored element falls into a row of its own choice; offsets are the running counts.
fn csr_offsets(numbers: &mut Numbers, rows: u64, non_zeros: u64) -> Result<Vec<u64>> {
    let mut offsets = vec![0_u64; usize::try_from(rows)? + 1];
    for _ in 0..non_zeros {
        offsets[usize::try_from(numbers.below(rows))? + 1] += 1;
    }
    let mut total = 0;
    for offset in &mut offsets {
        total += *offset;
        *offset = total;
    }
    Ok(offsets)
}

/// A sky that darkens downwards, a bright disc, dark bars, and a camera's noise over all.
fn photo(bytes: &mut Vec<u8>, numbers: &mut Numbers, height: u64, width: u64) {
    let (h, w) = (height.max(1), width.max(1));
    for y in 0..height {
        for x in 0..width {
            let (dx, dy) = (x.abs_diff(w / 3), y.abs_diff(h / 3));
            let in_disc = dx * dx + dy * dy < (h / 5) * (h / 5);
            let in_bar = y > h / 2 && (x * 24 / w).is_multiple_of(3);
            let base = match (in_disc, in_bar) {
                (true, _) => [230, 210, 120],
                (false, true) => [40, 60, 50],
                (false, false) => [90, 140, 210].map(|channel| channel - 70 * y / h),
            };
            let noise = numbers.below(17);
            bytes.extend(base.map(|channel| u8::try_from(channel + noise).unwrap_or(u8::MAX)));
            bytes.push(u8::MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(how: Fill, dtype: DType, shape: &[u64]) -> Vec<u8> {
        fill(how, &ArrayType::new(dtype, shape).unwrap(), "test/x").unwrap()
    }

    #[test]
    fn the_same_name_gives_the_same_bytes_and_another_name_others() {
        let ty = ArrayType::new(DType::F32, [64]).unwrap();
        let with = |name| fill(Fill::Uniform([-1.0, 1.0]), &ty, name).unwrap();
        assert_eq!(with("saxpy/x"), with("saxpy/x"));
        assert_ne!(with("saxpy/x"), with("saxpy/y"));
    }

    #[test]
    fn numbers_stay_in_their_range() {
        let bytes = filled(Fill::Uniform([0.5, 1.5]), DType::F32, &[10_000]);
        let numbers = bytes
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes(b.try_into().unwrap()));
        assert!(numbers.clone().all(|x| (0.5..1.5).contains(&x)));
        let mean = numbers.map(f64::from).sum::<f64>() / 10_000.0;
        assert!((mean - 1.0).abs() < 0.02, "{mean}");
        let bytes = filled(Fill::Integers([3, 6]), DType::U8, &[1000]);
        assert!(
            (3..6).all(|value| bytes.contains(&value)) && bytes.iter().all(|b| (3..6).contains(b))
        );
    }

    #[test]
    fn offsets_ascend_to_the_number_of_elements() {
        let how = Fill::CsrOffsets {
            rows: 100,
            non_zeros: 1000,
        };
        let bytes = filled(how, DType::U32, &[101]);
        let offsets: Vec<_> = bytes
            .chunks_exact(4)
            .map(|b| u32::from_le_bytes(b.try_into().unwrap()))
            .collect();
        assert!(offsets[0] == 0 && offsets[100] == 1000 && offsets.is_sorted());
    }

    #[test]
    fn what_does_not_fit_the_type_is_refused() {
        let ty = ArrayType::new(DType::U8, [4]).unwrap();
        assert!(fill(Fill::Integers([300, 301]), &ty, "x").is_err());
        assert!(fill(Fill::Uniform([0.0, 1.0]), &ty, "x").is_err());
        assert!(fill(Fill::Photo, &ty, "x").is_err());
    }
}
