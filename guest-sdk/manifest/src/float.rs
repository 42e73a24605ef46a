//! Floats in JSON, which has no word for infinities and NaN: these are the strings `inf`, `-inf` and `NaN`.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt::Display;
use std::str::FromStr;

/// A float that says whether JSON has a number for it.
pub(crate) trait Float: Copy + Display + FromStr + Serialize {
    fn is_number(self) -> bool;
    /// Rounds to the nearest; `None` where that would make an infinity of a number.
    fn from_f64(value: f64) -> Option<Self>;
}

impl Float for f32 {
    fn is_number(self) -> bool {
        self.is_finite()
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "rounding to the nearest is what is meant"
    )]
    fn from_f64(value: f64) -> Option<Self> {
        let rounded = value as Self;
        (rounded.is_finite() || !value.is_finite()).then_some(rounded)
    }
}

impl Float for f64 {
    fn is_number(self) -> bool {
        self.is_finite()
    }

    fn from_f64(value: f64) -> Option<Self> {
        Some(value)
    }
}

pub(crate) fn serialize<T: Float, S: Serializer>(
    value: &T,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    // Between processes a float is its bits.
    if value.is_number() || !serializer.is_human_readable() {
        value.serialize(serializer)
    } else {
        serializer.collect_str(value)
    }
}

pub(crate) fn deserialize<'de, T: Float + Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    struct Visitor<T>(std::marker::PhantomData<T>);
    impl<T: Float> de::Visitor<'_> for Visitor<T> {
        type Value = T;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a number, or one of the strings `inf`, `-inf` and `NaN`")
        }

        fn visit_f64<E: de::Error>(self, value: f64) -> Result<T, E> {
            number(value)
        }

        #[expect(
            clippy::cast_precision_loss,
            reason = "an integer in a float's place is rounded"
        )]
        fn visit_u64<E: de::Error>(self, value: u64) -> Result<T, E> {
            number(value as f64)
        }

        #[expect(
            clippy::cast_precision_loss,
            reason = "an integer in a float's place is rounded"
        )]
        fn visit_i64<E: de::Error>(self, value: i64) -> Result<T, E> {
            number(value as f64)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
            match text {
                "inf" | "-inf" | "NaN" => text.parse().map_err(|_| E::custom("not a float")),
                _ => Err(E::custom("not one of `inf`, `-inf` and `NaN`")),
            }
        }
    }
    fn number<T: Float, E: de::Error>(value: f64) -> Result<T, E> {
        T::from_f64(value).ok_or_else(|| E::custom(format!("{value:e} is out of range")))
    }
    if !deserializer.is_human_readable() {
        return T::deserialize(deserializer);
    }
    deserializer.deserialize_any(Visitor(std::marker::PhantomData))
}

#[cfg(test)]
mod tests {
    use crate::ScalarValue;

    #[test]
    fn every_float_survives_json() {
        for value in [0.1, -0.0, 1e-40, f32::MAX, f32::INFINITY, f32::NEG_INFINITY] {
            let json = serde_json::to_string(&ScalarValue::F32(value)).unwrap();
            assert_eq!(
                serde_json::from_str::<ScalarValue>(&json).unwrap(),
                ScalarValue::F32(value)
            );
        }
        let json = serde_json::to_string(&ScalarValue::F64(f64::NAN)).unwrap();
        assert_eq!(json, r#"{"f64":"NaN"}"#);
        assert!(serde_json::from_str::<ScalarValue>(r#"{"f64":"nope"}"#).is_err());
        assert!(serde_json::from_str::<ScalarValue>(r#"{"f32":1e39}"#).is_err());
        assert_eq!(
            serde_json::from_str::<ScalarValue>(r#"{"f64":2}"#).unwrap(),
            ScalarValue::F64(2.0)
        );
    }
}
