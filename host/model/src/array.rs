//! Types of arrays: a dtype and a shape. Bytes are C order, little-endian.

use hotcell_manifest::DType;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The dtype and shape of an array whose size in bytes is known to fit in a `u64`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "RawArrayType")]
pub struct ArrayType {
    dtype: DType,
    shape: Vec<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawArrayType {
    dtype: DType,
    shape: Vec<u64>,
}

/// A shape that cannot be: too many dimensions, or more bytes than a `u64` counts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// The product of the shape and the element size overflows.
    #[error("shape {shape:?} of {dtype} has more bytes than 2^64")]
    Overflow {
        /// The element type.
        dtype: DType,
        /// The shape.
        shape: Vec<u64>,
    },
    /// The rank is above [`ArrayType::MAX_RANK`].
    #[error("rank {requested}, at most {maximum} is supported")]
    Rank {
        /// The rank asked for.
        requested: usize,
        /// [`ArrayType::MAX_RANK`].
        maximum: usize,
    },
}

impl ArrayType {
    /// The highest rank of an array: that of signatures.
    pub const MAX_RANK: usize = hotcell_manifest::Signature::MAX_RANK;

    /// An array type; `shape` has the outermost dimension first and is empty for rank 0.
    ///
    /// # Errors
    /// The rank is too high, or the size in bytes overflows a `u64`.
    pub fn new(dtype: DType, shape: impl Into<Vec<u64>>) -> Result<Self, ShapeError> {
        let shape = shape.into();
        if shape.len() > Self::MAX_RANK {
            return Err(ShapeError::Rank {
                requested: shape.len(),
                maximum: Self::MAX_RANK,
            });
        }
        // A zero anywhere must not hide an overflow elsewhere, so extents count as at least one.
        let product = shape.iter().try_fold(dtype.size_bytes(), |bytes, extent| {
            bytes.checked_mul((*extent).max(1))
        });
        match product {
            Some(_) => Ok(Self { dtype, shape }),
            None => Err(ShapeError::Overflow { dtype, shape }),
        }
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The extents, outermost first.
    pub fn shape(&self) -> &[u64] {
        &self.shape
    }

    /// The number of dimensions.
    pub fn rank(&self) -> usize {
        self.shape.len()
    }

    /// The number of elements; 1 for rank 0.
    pub fn elements(&self) -> u64 {
        self.shape.iter().product()
    }

    /// The size in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.elements() * self.dtype.size_bytes()
    }
}

impl TryFrom<RawArrayType> for ArrayType {
    type Error = ShapeError;

    fn try_from(raw: RawArrayType) -> Result<Self, ShapeError> {
        Self::new(raw.dtype, raw.shape)
    }
}

impl fmt::Display for ArrayType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.dtype)?;
        for (axis, extent) in self.shape.iter().enumerate() {
            let comma = if axis == 0 { "" } else { "," };
            write!(f, "{comma}{extent}")?;
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_products_and_overflow_is_refused() {
        let gemm = ArrayType::new(DType::F32, [3, 5]).unwrap();
        assert_eq!((gemm.elements(), gemm.size_bytes()), (15, 60));
        assert_eq!(gemm.to_string(), "f32(3,5)");
        assert_eq!(ArrayType::new(DType::F64, []).unwrap().size_bytes(), 8);
        assert_eq!(ArrayType::new(DType::F64, [0, 9]).unwrap().size_bytes(), 0);
        assert!(ArrayType::new(DType::U8, [1 << 33, 1 << 33]).is_err());
        assert!(ArrayType::new(DType::U8, [1 << 33, 1 << 33, 0]).is_err());
        assert!(ArrayType::new(DType::U8, [1; 9]).is_err());
        let json = r#"{"dtype":"f64","shape":[4294967296,4294967296]}"#;
        assert!(serde_json::from_str::<ArrayType>(json).is_err());
    }
}
