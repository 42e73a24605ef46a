//! The elements of one array, as bytes.

use super::bounds::Between;
use super::{Fill, Kind};
use crate::number;
use crate::random::Random;
use hotcell::ArrayType;
use hotcell_model::manifest::DType;

/// Of a sparse array one element in so many is anything.
const SPARSE: u64 = 16;

/// What an element is before it has a type.
#[derive(Clone, Copy)]
enum Element {
    /// A number between the bounds.
    Number(f64),
    /// The so-manieth of the type's extremes.
    Extreme(u64),
}

/// Fills an array; what is random in it is a function of seed and name.
pub(super) fn bytes(
    ty: &ArrayType,
    fill: &Fill,
    bounds: Option<Between>,
    seed: u64,
    name: &str,
) -> Vec<u8> {
    // A complex number is two floats.
    let (dtype, parts) = match ty.dtype() {
        DType::Complex64 => (DType::F32, 2),
        DType::Complex128 => (DType::F64, 2),
        dtype => (dtype, 1),
    };
    let count = ty.elements().saturating_mul(parts);
    let range = Range::of(dtype, bounds);
    let mut random = Random::new(seed, name);
    let mut bytes = Vec::with_capacity(usize::try_from(ty.size_bytes()).unwrap_or(0));
    for at in 0..count {
        let kind = match fill.mixed {
            Some((mixed, period)) if at % u64::from(period) == 0 => mixed,
            _ => fill.kind,
        };
        put(
            dtype,
            range.element(kind, at, count, &mut random),
            &mut bytes,
        );
    }
    bytes
}

/// Between what elements are.
struct Range {
    low: f64,
    /// Included, for whole numbers.
    high: f64,
    is_whole: bool,
    is_given: bool,
}

impl Range {
    fn of(dtype: DType, bounds: Option<Between>) -> Self {
        let is_whole = !matches!(dtype, DType::F16 | DType::Bf16 | DType::F32 | DType::F64);
        let (low, high) = own_range(dtype);
        match bounds {
            None => Self {
                low,
                high,
                is_whole,
                is_given: false,
            },
            Some(given) => {
                let last = match is_whole && !given.is_closed {
                    true => given.high - 1.0,
                    false => given.high,
                };
                // What floats can be is not what they are where nothing is said.
                let (least, most) = if is_whole {
                    (low, high)
                } else {
                    (f64::MIN, f64::MAX)
                };
                let low = given.low.clamp(least, most);
                let high = last.clamp(low, most);
                Self {
                    low,
                    high,
                    is_whole,
                    is_given: true,
                }
            }
        }
    }

    fn element(&self, kind: Kind, at: u64, count: u64, random: &mut Random) -> Element {
        let along = |part: f64| Element::Number(self.low + part * (self.high - self.low));
        let nearest = |value: f64| Element::Number(value.clamp(self.low, self.high));
        let part = number::of(at) / number::of(count.saturating_sub(1).max(1));
        match kind {
            Kind::Uniform => self.uniform(random),
            Kind::Zeros => nearest(0.0),
            Kind::Ones => nearest(1.0),
            Kind::Ascending => along(part),
            Kind::Descending => along(1.0 - part),
            Kind::Sparse if random.next().is_multiple_of(SPARSE) => self.uniform(random),
            Kind::Sparse => nearest(0.0),
            Kind::Extremes if self.is_given => along(if at.is_multiple_of(2) { 0.0 } else { 1.0 }),
            Kind::Extremes => Element::Extreme(random.next()),
        }
    }

    fn uniform(&self, random: &mut Random) -> Element {
        let width = self.high - self.low + if self.is_whole { 1.0 } else { 0.0 };
        let value = self.low + random.unit() * width;
        Element::Number(if self.is_whole {
            value.floor().min(self.high)
        } else {
            value
        })
    }
}

/// What elements are between where nothing is said.
fn own_range(dtype: DType) -> (f64, f64) {
    match dtype {
        DType::Bool => (0.0, 1.0),
        DType::I8 => (f64::from(i8::MIN), f64::from(i8::MAX)),
        DType::I16 => (f64::from(i16::MIN), f64::from(i16::MAX)),
        DType::I32 => (f64::from(i32::MIN), f64::from(i32::MAX)),
        DType::I64 => (i64::MIN as f64, i64::MAX as f64),
        DType::U8 => (0.0, f64::from(u8::MAX)),
        DType::U16 => (0.0, f64::from(u16::MAX)),
        DType::U32 => (0.0, f64::from(u32::MAX)),
        DType::U64 => (0.0, u64::MAX as f64),
        _ => (-1.0, 1.0),
    }
}

fn one_of<T: Copy>(extremes: &[T], which: u64) -> T {
    let at = which % extremes.len() as u64;
    extremes[usize::try_from(at).unwrap_or(0)]
}

macro_rules! whole {
    ($bytes:ident, $element:ident, $type:ty $(, $sign:ident)?) => {{
        #[expect(
            clippy::cast_possible_truncation,
            $(clippy::$sign,)?
            reason = "the range is the type's, and the cast saturates at its ends"
        )]
        let value = match $element {
            Element::Number(value) => value as $type,
            Element::Extreme(which) => {
                one_of(&[<$type>::MIN, <$type>::MAX, 0, 1, <$type>::MAX - 1], which)
            }
        };
        $bytes.extend_from_slice(&value.to_le_bytes());
    }};
}

fn put(dtype: DType, element: Element, bytes: &mut Vec<u8>) {
    match dtype {
        DType::Bool => match element {
            Element::Number(value) => bytes.push(u8::from(value >= 0.5)),
            Element::Extreme(which) => bytes.push(u8::from(which % 2 == 1)),
        },
        DType::I8 => whole!(bytes, element, i8),
        DType::I16 => whole!(bytes, element, i16),
        DType::I32 => whole!(bytes, element, i32),
        DType::I64 => whole!(bytes, element, i64),
        DType::U8 => whole!(bytes, element, u8, cast_sign_loss),
        DType::U16 => whole!(bytes, element, u16, cast_sign_loss),
        DType::U32 => whole!(bytes, element, u32, cast_sign_loss),
        DType::U64 => whole!(bytes, element, u64, cast_sign_loss),
        DType::F16 => bytes.extend_from_slice(&half(single(element)).to_le_bytes()),
        // The upper half of a binary32; what is cut off is below what the format can tell.
        DType::Bf16 => bytes.extend_from_slice(&single(element).to_le_bytes()[2..]),
        DType::F64 | DType::Complex128 => {
            let value = match element {
                Element::Number(value) => value,
                Element::Extreme(which) => one_of(
                    &[
                        f64::NAN,
                        f64::INFINITY,
                        f64::NEG_INFINITY,
                        f64::MAX,
                        f64::MIN,
                        f64::MIN_POSITIVE,
                        f64::from_bits(1),
                        -0.0,
                        0.0,
                        1.0,
                    ],
                    which,
                ),
            };
            bytes.extend_from_slice(&value.to_le_bytes());
        }
        DType::F32 | DType::Complex64 => bytes.extend_from_slice(&single(element).to_le_bytes()),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "it is rounded to what the type can tell"
)]
fn single(element: Element) -> f32 {
    match element {
        Element::Number(value) => value as f32,
        Element::Extreme(which) => one_of(
            &[
                f32::NAN,
                f32::INFINITY,
                f32::NEG_INFINITY,
                f32::MAX,
                f32::MIN,
                f32::MIN_POSITIVE,
                f32::from_bits(1),
                -0.0,
                0.0,
                1.0,
            ],
            which,
        ),
    }
}

/// The bits of a binary16, rounded towards 0; what is too large for one is an infinity, what is too small a zero.
fn half(value: f32) -> u16 {
    let bits = value.to_bits();
    let part = |shift: u32, mask: u32| u16::try_from((bits >> shift) & mask).unwrap_or(0);
    let (sign, fraction) = (part(16, 0x8000), part(13, 0x3ff));
    match part(23, 0xff) {
        255 if value.is_nan() => sign | 0x7e00,
        // 2¹⁶ and above.
        143.. => sign | 0x7c00,
        // Below 2⁻¹⁴.
        ..113 => sign,
        exponent => sign | ((exponent - 112) << 10) | fraction,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floats(kind: Kind, count: u64) -> Vec<f32> {
        let ty = ArrayType::new(DType::F32, [count]).unwrap();
        let bytes = bytes(&ty, &Fill::of(kind), None, 1, "x");
        let exact = bytes
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes(b.try_into().unwrap()));
        exact.collect()
    }

    #[test]
    fn kinds_are_what_they_are_called() {
        assert!(floats(Kind::Zeros, 9).iter().all(|x| *x == 0.0));
        assert!(floats(Kind::Ones, 9).iter().all(|x| *x == 1.0));
        assert!(floats(Kind::Ascending, 9).is_sorted());
        assert!(floats(Kind::Descending, 9).iter().rev().is_sorted());
        let sparse = floats(Kind::Sparse, 1600);
        let filled = sparse.iter().filter(|x| **x != 0.0).count();
        assert!((50..200).contains(&filled), "{filled}");
        let extremes = floats(Kind::Extremes, 200);
        assert!(extremes.iter().any(|x| x.is_nan()) && extremes.contains(&f32::INFINITY));
        let uniform = floats(Kind::Uniform, 1000);
        assert!(uniform.iter().all(|x| (-1.0..=1.0).contains(x)));
        assert_eq!(uniform, floats(Kind::Uniform, 1000));
    }

    #[test]
    fn bounds_hold_for_every_kind_and_dtype() {
        let bounds = Some(Between {
            low: 3.0,
            high: 9.0,
            is_closed: false,
        });
        for kind in Kind::ALL {
            let ty = ArrayType::new(DType::U32, [257]).unwrap();
            let bytes = bytes(&ty, &Fill::of(kind), bounds, 5, "x");
            let all = bytes
                .chunks_exact(4)
                .map(|b| u32::from_le_bytes(b.try_into().unwrap()));
            assert!(all.clone().all(|x| (3..9).contains(&x)), "{kind:?}");
            assert!(kind != Kind::Ascending || all.max() == Some(8));
        }
        for dtype in DType::ALL {
            for kind in Kind::ALL {
                let ty = ArrayType::new(dtype, [33]).unwrap();
                let made = bytes(&ty, &Fill::of(kind), None, 5, "x");
                assert_eq!(made.len() as u64, ty.size_bytes(), "{dtype} {kind:?}");
            }
        }
    }

    #[test]
    fn halves_are_binary16() {
        for (value, bits) in [
            (0.0, 0),
            (1.0, 0x3c00),
            (-1.0, 0xbc00),
            (0.5, 0x3800),
            (65504.0, 0x7bff),
            (1e6, 0x7c00),
            (f32::NEG_INFINITY, 0xfc00),
            (1e-9, 0),
        ] {
            assert_eq!(half(value), bits, "{value}");
        }
        assert_eq!(half(f32::NAN) & 0x7c00, 0x7c00);
    }
}
