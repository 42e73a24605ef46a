//! Arrays as an embedding program gives and gets them.

use bytes::Bytes;
use hotcell_model::array::{ArrayType, ShapeError};
use hotcell_model::job::Source;
use hotcell_model::manifest::DType;

/// An array: a dtype, a shape, and bytes in C order, little-endian.
#[derive(Clone, Debug)]
pub struct Array {
    ty: ArrayType,
    source: Source,
    is_picture: bool,
    #[cfg(any(feature = "confined", feature = "in-process"))]
    repeated: std::sync::Arc<crate::repeated::Repeated>,
}

/// Why bytes do not make an array, or an array is not of the type asked for.
#[derive(Debug, thiserror::Error)]
pub enum ArrayError {
    /// The shape cannot be.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// There are more or fewer bytes than the type says.
    #[error("{ty} has {expected} bytes, {found} were given")]
    Length {
        /// The type.
        ty: ArrayType,
        /// The bytes it has.
        expected: u64,
        /// The bytes there are.
        found: u64,
    },
    /// The elements are of another type.
    #[error("the array is {found}, {expected} was asked for")]
    DType {
        /// The type asked for.
        expected: DType,
        /// The array's type.
        found: DType,
    },
    /// The bytes are in a file.
    #[error("the array is in a file, not in memory")]
    NotInMemory,
}

/// A Rust number that is an array's element.
pub trait Element: Copy + sealed::Sealed {
    /// The dtype of arrays of it.
    const DTYPE: DType;
    /// Appends its bytes, little-endian.
    #[doc(hidden)]
    fn put(self, bytes: &mut Vec<u8>);
    /// Reads it from exactly its bytes, little-endian.
    #[doc(hidden)]
    fn get(bytes: &[u8]) -> Self;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! elements {
    ($($type:ty => $dtype:ident),*) => {$(
        impl sealed::Sealed for $type {}
        impl Element for $type {
            const DTYPE: DType = DType::$dtype;
            fn put(self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_le_bytes());
            }
            fn get(bytes: &[u8]) -> Self {
                let mut exact = [0; size_of::<$type>()];
                exact.copy_from_slice(bytes);
                Self::from_le_bytes(exact)
            }
        }
    )*};
}

elements!(i8 => I8, i16 => I16, i32 => I32, i64 => I64, u8 => U8, u16 => U16, u32 => U32, u64 => U64,
    f32 => F32, f64 => F64);

impl Array {
    /// An array of `ty` over `bytes`.
    ///
    /// # Errors
    /// The number of bytes is not the type's.
    pub fn new(ty: ArrayType, bytes: impl Into<Bytes>) -> Result<Self, ArrayError> {
        Self::from_source(ty, Source::Memory(bytes.into()))
    }

    /// An array of `ty` whose bytes are read where they are needed.
    ///
    /// # Errors
    /// The number of bytes is not the type's.
    pub fn from_source(ty: ArrayType, source: Source) -> Result<Self, ArrayError> {
        let (expected, found) = (ty.size_bytes(), source.len_bytes());
        if expected != found {
            return Err(ArrayError::Length {
                ty,
                expected,
                found,
            });
        }
        Ok(Self::of(ty, source))
    }

    /// An array whose source has the type's bytes.
    fn of(ty: ArrayType, source: Source) -> Self {
        Self {
            ty,
            source,
            is_picture: false,
            #[cfg(any(feature = "confined", feature = "in-process"))]
            repeated: Default::default(),
        }
    }

    /// An array of `ty` in memory that workers and guests map as it is: `fill` writes its bytes, zeros before, and
    /// then nobody can change them any more. A launch copies none of it, where the guest takes whole pages.
    ///
    /// # Errors
    /// There is no memory for it, or `fill` fails.
    #[cfg(any(feature = "confined", feature = "in-process"))]
    pub fn shared(
        ty: ArrayType,
        fill: impl FnOnce(&mut [u8]) -> std::io::Result<()>,
    ) -> std::io::Result<Self> {
        let source = match ty.size_bytes() {
            // There is nothing to map.
            0 => fill(&mut []).map(|()| Source::Memory(Bytes::new()))?,
            len => crate::sealed::source(hotcell_sandbox::memory::SealedMemory::fill(len, fill)?)?,
        };
        Ok(Self::of(ty, source))
    }

    /// An array of that shape with a copy of `elements`.
    ///
    /// # Errors
    /// The number of elements is not the shape's.
    pub fn from_slice<T: Element>(
        elements: &[T],
        shape: impl Into<Vec<u64>>,
    ) -> Result<Self, ArrayError> {
        let ty = ArrayType::new(T::DTYPE, shape)?;
        let mut bytes = Vec::with_capacity(size_of_val(elements));
        elements.iter().for_each(|element| element.put(&mut bytes));
        Self::new(ty, bytes)
    }

    /// The same array, known to be a picture: files of pictures do not tell (h,w) from (h,w,1), so a gray one is
    /// given to a kernel that takes (h,w,c) as (h,w,1).
    #[must_use]
    pub fn picture(mut self) -> Self {
        self.is_picture = true;
        self
    }

    /// Whether it is known to be a picture.
    pub fn is_picture(&self) -> bool {
        self.is_picture
    }

    /// The array as a parameter of that rank takes it: a gray picture gets its channel axis where one is asked for.
    pub(crate) fn fitted(&self, rank: usize) -> Self {
        let mut fitted = self.clone();
        if let (true, 3, [height, width]) = (self.is_picture, rank, self.ty.shape())
            && let Ok(ty) = ArrayType::new(self.ty.dtype(), [*height, *width, 1])
        {
            fitted.ty = ty;
        }
        fitted
    }

    /// The dtype and shape.
    pub fn ty(&self) -> &ArrayType {
        &self.ty
    }

    /// Where the bytes are.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Where the bytes are for one more launch: memory that is launched again and again is given pages to map.
    pub(crate) fn launched(&self) -> Source {
        match &self.source {
            #[cfg(any(feature = "confined", feature = "in-process"))]
            Source::Memory(bytes) => self.repeated.source(bytes),
            source => source.clone(),
        }
    }

    /// The bytes, where they are in memory.
    pub fn bytes(&self) -> Option<&Bytes> {
        match &self.source {
            Source::Memory(bytes) | Source::Sealed { bytes, .. } => Some(bytes),
            Source::File { .. } => None,
        }
    }

    /// A copy of the elements.
    ///
    /// # Errors
    /// The dtype is another, or the bytes are not in memory.
    pub fn to_vec<T: Element>(&self) -> Result<Vec<T>, ArrayError> {
        let (expected, found) = (T::DTYPE, self.ty.dtype());
        if expected != found {
            return Err(ArrayError::DType { expected, found });
        }
        let bytes = self.bytes().ok_or(ArrayError::NotInMemory)?;
        Ok(bytes.chunks_exact(size_of::<T>()).map(T::get).collect())
    }
}

/// An array that came out of a launch.
#[derive(Clone, Debug)]
pub struct NamedArray {
    /// The parameter's name.
    pub name: String,
    /// The array.
    pub array: Array,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_survive_and_types_are_checked() {
        let array = Array::from_slice(&[1.5f32, -2.0], [2]).unwrap();
        assert_eq!(array.to_vec::<f32>().unwrap(), [1.5, -2.0]);
        assert!(matches!(
            array.to_vec::<f64>(),
            Err(ArrayError::DType { .. })
        ));
        assert!(Array::from_slice(&[1u8], [2]).is_err());
    }
}
