//! Scalars as people write them: text to a value of a given type, exactly or not at all.
//!
//! Whole numbers are decimal, hexadecimal, octal or binary (`255`, `0xff`, `0o377`, `0b1111_1111`), or in scientific
//! notation where that is whole (`1e5`, `2.5e3`). Floats are rounded to the nearest of their type; one that is beyond
//! the type's range is refused, since a kernel would compute with infinity in its place: infinity has to be said
//! (`inf`). One too small for the type is rounded to zero, which is near it. `_` may stand between digits.

use super::ScalarValue;
use crate::DType;
use std::fmt::LowerExp;
use std::str::FromStr;

/// Why a text is no scalar of a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScalarError {
    /// It is none at all.
    Malformed {
        /// The text, cut.
        text: String,
        /// The type.
        dtype: DType,
        /// What is written for it.
        expected: &'static str,
    },
    /// It is a number, beyond the type's range.
    OutOfRange {
        /// The text, cut.
        text: String,
        /// The type.
        dtype: DType,
        /// The least value.
        minimum: String,
        /// The greatest value.
        maximum: String,
        /// What to write for infinity, where the type has one.
        hint: &'static str,
    },
}

crate::words! { ScalarError:
    Self::Malformed { text, dtype, expected } => ("`{text}` is no {dtype}: {expected}"),
    Self::OutOfRange { text, dtype, minimum, maximum, hint } => ("`{text}` is out of range for {dtype}, which is from {minimum} to {maximum}{hint}"),
}

impl std::error::Error for ScalarError {}

/// Longer texts are cut in messages.
const SHOWN_CHARS: usize = 64;

/// Reads `text` as a scalar of type `dtype`.
pub(super) fn parse(dtype: DType, text: &str) -> Result<ScalarValue, ScalarError> {
    let malformed = |expected| ScalarError::Malformed {
        text: shown(text),
        dtype,
        expected,
    };
    Ok(match dtype {
        DType::Bool => ScalarValue::Bool(match text {
            "true" | "True" | "1" => true,
            "false" | "False" | "0" => false,
            _ => return Err(malformed("write true or false")),
        }),
        DType::I32 => ScalarValue::I32(integer(dtype, text, [i32::MIN.into(), i32::MAX.into()])?),
        DType::I64 => ScalarValue::I64(integer(dtype, text, [i64::MIN.into(), i64::MAX.into()])?),
        DType::U32 => ScalarValue::U32(integer(dtype, text, [0, u32::MAX.into()])?),
        DType::U64 => ScalarValue::U64(integer(dtype, text, [0, u64::MAX.into()])?),
        DType::F32 => ScalarValue::F32(float(dtype, text, [f32::MIN, f32::MAX], f32::is_infinite)?),
        DType::F64 => ScalarValue::F64(float(dtype, text, [f64::MIN, f64::MAX], f64::is_infinite)?),
        _ => return Err(malformed("no scalar has that type")),
    })
}

fn shown(text: &str) -> String {
    let printable = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let mut shown: String = text.chars().take(SHOWN_CHARS).map(printable).collect();
    if text.chars().nth(SHOWN_CHARS).is_some() {
        shown.push('…');
    }
    shown
}

fn float<T: FromStr + LowerExp + Copy>(
    dtype: DType,
    text: &str,
    [minimum, maximum]: [T; 2],
    is_infinite: fn(T) -> bool,
) -> Result<T, ScalarError> {
    let value: Option<T> = without_separators(text).and_then(|digits| digits.parse().ok());
    let value = value.ok_or_else(|| ScalarError::Malformed {
        text: shown(text),
        dtype,
        expected: "write a number such as -2.5 or 1e-3, or inf or nan",
    })?;
    let has_digits = text.bytes().any(|byte| byte.is_ascii_digit());
    if has_digits && is_infinite(value) {
        return Err(ScalarError::OutOfRange {
            text: shown(text),
            dtype,
            minimum: format!("{minimum:e}"),
            maximum: format!("{maximum:e}"),
            hint: "; write inf or -inf if infinity is meant",
        });
    }
    Ok(value)
}

fn integer<T: TryFrom<i128>>(
    dtype: DType,
    text: &str,
    [minimum, maximum]: [i128; 2],
) -> Result<T, ScalarError> {
    let value = whole(text).ok_or_else(|| ScalarError::Malformed {
        text: shown(text),
        dtype,
        expected: "write a whole number such as 1000, 1e3 or 0x3e8",
    })?;
    let out_of_range = || ScalarError::OutOfRange {
        text: shown(text),
        dtype,
        minimum: minimum.to_string(),
        maximum: maximum.to_string(),
        hint: "",
    };
    T::try_from(value).map_err(|_| out_of_range())
}

/// The digits without the `_` between them; `None` if one stands elsewhere.
fn without_separators(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let is_digit = |at: Option<usize>| {
        let byte = at.and_then(|at| bytes.get(at));
        byte.is_some_and(u8::is_ascii_hexdigit)
    };
    let is_between = |at: usize| is_digit(at.checked_sub(1)) && is_digit(Some(at + 1));
    let misplaced = |(at, byte): (usize, &u8)| *byte == b'_' && !is_between(at);
    (!bytes.iter().enumerate().any(misplaced)).then(|| text.replace('_', ""))
}

/// A whole number in any notation; beyond 128 bits the nearest end of them, which is beyond every type.
fn whole(text: &str) -> Option<i128> {
    let text = without_separators(text)?;
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(&text)),
    };
    let lower = digits.to_ascii_lowercase();
    let magnitude = match lower.as_bytes() {
        [b'0', b'x', ..] => radix(&lower[2..], 16)?,
        [b'0', b'o', ..] => radix(&lower[2..], 8)?,
        [b'0', b'b', ..] => radix(&lower[2..], 2)?,
        _ => decimal(&lower)?,
    };
    Some(if is_negative { -magnitude } else { magnitude })
}

fn radix(digits: &str, radix: u32) -> Option<i128> {
    if digits.is_empty() {
        return None;
    }
    digits.chars().try_fold(0i128, |value, digit| {
        let digit = digit.to_digit(radix)?;
        Some(
            value
                .saturating_mul(radix.into())
                .saturating_add(digit.into()),
        )
    })
}

/// Digits, perhaps with a fraction and an exponent that together make a whole number.
fn decimal(text: &str) -> Option<i128> {
    let (mantissa, exponent) = match text.split_once('e') {
        None => (text, 0),
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
    };
    let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let after = after.trim_end_matches('0');
    if before.is_empty() && after.is_empty() {
        return None;
    }
    let digits = format!("{before}{after}");
    let mut shift = i64::from(exponent) - i64::try_from(after.len()).ok()?;
    let value = radix(&digits, 10)?;
    // What the exponent takes away must be zeros.
    let kept = digits.trim_end_matches('0');
    let zeros = i64::try_from(digits.len() - kept.len()).ok()?;
    if value == 0 {
        return Some(0);
    }
    if shift + zeros < 0 {
        return None;
    }
    let mut value = radix(kept, 10)?;
    shift += zeros;
    // 10^39 is beyond 128 bits.
    for _ in 0..shift.min(39) {
        value = value.saturating_mul(10);
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_read_in_every_notation() {
        for (text, expected) in [
            ("0", 0),
            ("-0", 0),
            ("+7", 7),
            ("007", 7),
            ("1_000", 1000),
            ("1e5", 100_000),
            ("1E5", 100_000),
            ("2.5e3", 2500),
            ("-1.50e1", -15),
            ("3.0", 3),
            ("3.", 3),
            ("1000e-3", 1),
            ("0e99", 0),
            ("0xfF", 255),
            ("-0x80000000", -0x8000_0000),
            ("0o17", 15),
            ("0b1010_1010", 170),
        ] {
            let value = ScalarValue::try_parse(DType::I32, text);
            assert_eq!(value, Ok(ScalarValue::I32(expected)), "{text}");
        }
        let largest = ScalarValue::try_parse(DType::U64, "18446744073709551615");
        assert_eq!(largest, Ok(ScalarValue::U64(u64::MAX)));
        let exact = ScalarValue::try_parse(DType::I64, "9007199254740993");
        assert_eq!(exact, Ok(ScalarValue::I64(9_007_199_254_740_993)));
    }

    #[test]
    fn what_is_no_number_is_told_what_one_looks_like() {
        let integers = [
            "",
            "-",
            "x",
            "1.5",
            "1e-1",
            "15e-1",
            "e5",
            ".",
            "1e",
            "0x",
            "0xg",
            "_1",
            "1_",
            "1__0",
            "1 000",
            "--1",
            "nan",
            "inf",
            "1e99999999999",
            "١",
        ];
        let table = [
            (DType::I32, &integers[..], "whole number"),
            (DType::F32, &["", "x", "1,5", "0x10", "1_", "1e5f"], "nan"),
            (DType::Bool, &["yes", "2", "TRUE", ""], "true or false"),
        ];
        for (dtype, texts, expected) in table {
            for text in texts {
                let error = ScalarValue::try_parse(dtype, text).unwrap_err();
                assert!(
                    matches!(error, ScalarError::Malformed { .. }),
                    "{text}: {error:?}"
                );
                assert!(error.to_string().contains(expected), "{error}");
            }
        }
        assert!(ScalarValue::try_parse(DType::I8, "1").is_err());
    }

    #[test]
    fn numbers_beyond_a_type_are_refused_with_its_range() {
        let table = [
            (DType::I32, "2147483648", "-2147483648 to 2147483647"),
            (DType::I32, "-2147483649", "-2147483648 to 2147483647"),
            (DType::I32, "1e10", "2147483647"),
            (DType::U32, "-1", "0 to 4294967295"),
            (DType::U32, "0x1_0000_0000", "4294967295"),
            (DType::I64, "9223372036854775808", "9223372036854775807"),
            (DType::U64, "18446744073709551616", "18446744073709551615"),
            (DType::U64, "1e30", "18446744073709551615"),
            (DType::I64, "-1e2000000000", "-9223372036854775808"),
            (
                DType::U64,
                "99999999999999999999999999999999999999999999",
                "18446744073709551615",
            ),
            (DType::F32, "1e39", "-3.4028235e38 to 3.4028235e38"),
            (DType::F32, "-1e39", "-inf"),
            (DType::F32, "3.5e38", "inf"),
            (DType::F32, "1e400", "inf"),
            (DType::F64, "1e400", "1.7976931348623157e308"),
            (DType::F64, "-1e400", "-inf"),
        ];
        for (dtype, text, expected) in table {
            let error = ScalarValue::try_parse(dtype, text).unwrap_err();
            assert!(
                matches!(error, ScalarError::OutOfRange { .. }),
                "{text}: {error:?}"
            );
            assert!(error.to_string().contains(expected), "{error}");
        }
    }

    #[test]
    fn infinities_and_nan_are_taken_where_they_are_said() {
        for text in ["inf", "-inf", "Infinity", "+infinity", "INF"] {
            let Ok(ScalarValue::F32(value)) = ScalarValue::try_parse(DType::F32, text) else {
                panic!("{text}");
            };
            assert!(value.is_infinite());
        }
        let Ok(ScalarValue::F64(nan)) = ScalarValue::try_parse(DType::F64, "nan") else {
            panic!("nan");
        };
        assert!(nan.is_nan());
    }

    #[test]
    fn what_is_too_small_is_zero_and_the_largest_is_itself() {
        let table = [
            ("1e-50", 0.0),
            ("-1e-400", -0.0),
            ("3.4028235e38", f32::MAX),
            ("3.4e38", 3.4e38),
            ("1_0.5", 10.5),
        ];
        for (text, expected) in table {
            let value = ScalarValue::try_parse(DType::F32, text);
            assert_eq!(value, Ok(ScalarValue::F32(expected)), "{text}");
        }
    }

    #[test]
    fn a_text_without_end_is_cut_in_the_message() {
        let error = ScalarValue::try_parse(DType::F32, &"é".repeat(10_000)).unwrap_err();
        assert!(error.to_string().len() < 300, "{error}");
    }
}
