//! What the macro tells the SDK of a kernel: its parameters, and the function that runs it.

use crate::chunk::Chunk;
use crate::element::Element;
use crate::error::LaunchError;
use std::fmt;

/// One kernel of a component, as `#[kernel]` describes it.
pub struct Entry {
    pub(crate) name: &'static str,
    pub(crate) dims: &'static [&'static str],
    pub(crate) halos: &'static [Halo],
    pub(crate) params: &'static [Param],
    record: &'static [u8],
    pub(crate) call: Call,
}

/// An input that reaches a chunk with rows of its neighbours: its first extent is not its dimension's.
#[derive(Clone, Copy, Debug)]
pub struct Halo {
    /// The position of the split dimension among the entry's `dims`.
    pub dim: usize,
    /// How many rows there are on either side, where the whole array has as many.
    pub rows: u32,
}

/// A kernel's function behind one type: extents in the order of `dims`, then of the rows of each of
/// `halos`, a slot for each of `params`, and where its error message goes.
pub type Call = unsafe fn(&[usize], &[Slot], &mut Option<String>);

/// One parameter's value on its way into a kernel: a scalar's bits or an address.
#[derive(Clone, Copy, Debug)]
pub enum Slot {
    /// A scalar, widened to 64 bits as [`Scalar`] says.
    Bits(u64),
    /// An array's first element, or a [`Chunk`], or the `Reader`, `Writer` or `Exchange` of a stream.
    Address(*mut u8),
}

impl Slot {
    /// The scalar's bits.
    ///
    /// # Panics
    /// If this is an address: the macro describes each parameter once, so it is not.
    #[inline]
    pub fn bits(self) -> u64 {
        match self {
            Self::Bits(bits) => bits,
            Self::Address(_) => panic!("an array where the kernel takes a scalar"),
        }
    }

    /// The address.
    ///
    /// # Panics
    /// If this is a scalar, as for [`bits`](Self::bits).
    #[inline]
    pub fn address<T>(self) -> *mut T {
        match self {
            Self::Address(address) => address.cast(),
            Self::Bits(_) => panic!("a scalar where the kernel takes an array"),
        }
    }
}

/// One parameter of a kernel that needs a slot, in the function's order. Parameters that receive a
/// dimension's extent need none.
#[derive(Debug)]
pub enum Param {
    /// A scalar.
    Scalar {
        /// The parameter's name.
        name: &'static str,
        /// Its type.
        kind: ScalarKind,
    },
    /// The [`Chunk`].
    Chunk,
    /// An array.
    Array(ArrayParam),
}

/// An array parameter.
#[derive(Debug)]
pub struct ArrayParam {
    /// The parameter's name.
    pub name: &'static str,
    /// The dtype's name.
    pub dtype: &'static str,
    /// The size of one element in bytes.
    pub element_bytes: usize,
    /// Whether only the bytes 0 and 1 are values.
    pub is_bool: bool,
    /// The extent of each axis.
    pub shape: &'static [Extent],
    /// Which way its data goes.
    pub access: Access,
    /// Whether it is streamed: a `Chunks`, `ChunksMut` or `ChunksInOut`.
    pub streamed: bool,
}

/// The extent of one axis.
#[derive(Clone, Copy, Debug)]
pub enum Extent {
    /// That of the dimension at this position of the entry's `dims`, followed by its `halos`.
    Dim(usize),
    /// Always this.
    Fixed(usize),
}

/// Which way an array's data goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Into the kernel.
    In,
    /// Out of the kernel; zero before it runs.
    Out,
    /// Both: the kernel changes what it is given.
    InOut,
}

/// The type of a scalar parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScalarKind {
    /// A truth value.
    Bool,
    /// A signed 32-bit integer.
    I32,
    /// A signed 64-bit integer.
    I64,
    /// An unsigned 32-bit integer.
    U32,
    /// An unsigned 64-bit integer.
    U64,
    /// A single-precision number.
    F32,
    /// A double-precision number.
    F64,
}

/// The value of a scalar parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar {
    /// A truth value.
    Bool(bool),
    /// A signed 32-bit integer.
    I32(i32),
    /// A signed 64-bit integer.
    I64(i64),
    /// An unsigned 32-bit integer.
    U32(u32),
    /// An unsigned 64-bit integer.
    U64(u64),
    /// A single-precision number.
    F32(f32),
    /// A double-precision number.
    F64(f64),
}

impl Scalar {
    /// The value's type.
    pub fn kind(self) -> ScalarKind {
        match self {
            Self::Bool(_) => ScalarKind::Bool,
            Self::I32(_) => ScalarKind::I32,
            Self::I64(_) => ScalarKind::I64,
            Self::U32(_) => ScalarKind::U32,
            Self::U64(_) => ScalarKind::U64,
            Self::F32(_) => ScalarKind::F32,
            Self::F64(_) => ScalarKind::F64,
        }
    }

    /// The value in 64 bits: integers of either sign as their own bits, zero above; numbers as
    /// their IEEE 754 bits, zero above; `bool` as 0 or 1.
    pub fn to_bits(self) -> u64 {
        match self {
            Self::Bool(value) => value.into(),
            Self::I32(value) => value.cast_unsigned().into(),
            Self::I64(value) => value.cast_unsigned(),
            Self::U32(value) => value.into(),
            Self::U64(value) => value,
            Self::F32(value) => value.to_bits().into(),
            Self::F64(value) => value.to_bits(),
        }
    }
}

/// A type that scalar parameters may have.
pub trait ScalarType: Copy + Into<Scalar> {
    /// From the low bits of [`Scalar::to_bits`].
    fn from_bits(bits: u64) -> Self;
}

macro_rules! scalar_type {
    ($($type:ty, $variant:ident, $bits:ident => $value:expr;)*) => {$(
        impl From<$type> for Scalar {
            fn from(value: $type) -> Self {
                Self::$variant(value)
            }
        }

        impl ScalarType for $type {
            #[inline]
            fn from_bits($bits: u64) -> Self {
                $value
            }
        }
    )*};
}

scalar_type! {
    bool, Bool, bits => bits & 1 == 1;
    i32, I32, bits => low(bits).cast_signed();
    i64, I64, bits => bits.cast_signed();
    u32, U32, bits => low(bits);
    u64, U64, bits => bits;
    f32, F32, bits => f32::from_bits(low(bits));
    f64, F64, bits => f64::from_bits(bits);
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the upper half is not the value's"
)]
fn low(bits: u64) -> u32 {
    bits as u32
}

impl fmt::Display for ScalarKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Bool => "bool",
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::U32 => "u32",
            Self::U64 => "u64",
            Self::F32 => "f32",
            Self::F64 => "f64",
        })
    }
}

impl Entry {
    /// Describes a kernel. `record` is its record in the manifest, length prefix included.
    ///
    /// # Safety
    /// `call` may be called with one extent for each of `dims` and of `halos` and one slot for each of `params`, of
    /// the kind and, for arrays, of the element type, size and access that it says.
    pub const unsafe fn new(
        name: &'static str,
        dims: &'static [&'static str],
        halos: &'static [Halo],
        params: &'static [Param],
        record: &'static [u8],
        call: Call,
    ) -> Self {
        Self {
            name,
            dims,
            halos,
            params,
            record,
            call,
        }
    }

    /// The entry's record in the manifest.
    pub const fn record(&self) -> &'static [u8] {
        self.record
    }

    /// The entry's name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The extents of `dims` from a list by name, in any order, and the rows of each of `halos` in the
    /// chunk.
    pub(crate) fn extents(
        &self,
        given: &[(&str, u64)],
        chunk: Chunk,
    ) -> Result<Vec<usize>, LaunchError> {
        check_names(
            self.dims.iter().copied(),
            given.iter().map(|(name, _)| *name),
        )?;
        let extent = |&dim: &&str| {
            let (_, extent) = given
                .iter()
                .find(|(name, _)| *name == dim)
                .ok_or_else(|| LaunchError::bad_argument(dim, "the dimension is missing"))?;
            usize::try_from(*extent).map_err(|_| {
                let reason = format!("an extent of {extent} does not fit this machine's integers");
                LaunchError::bad_argument(dim, reason)
            })
        };
        let mut extents: Vec<usize> = self.dims.iter().map(extent).collect::<Result<_, _>>()?;
        for halo in self.halos {
            let more = chunk.before(halo.rows as usize) + chunk.after(halo.rows as usize);
            let rows = extents[halo.dim].checked_add(more).ok_or_else(|| {
                let reason = "its rows and their neighbours are more than can be counted";
                LaunchError::bad_argument(self.dims[halo.dim], reason)
            })?;
            extents.push(rows);
        }
        Ok(extents)
    }

    /// Every array parameter.
    pub(crate) fn arrays(&self) -> impl Iterator<Item = &'static ArrayParam> {
        self.params.iter().filter_map(|param| match param {
            Param::Array(array) => Some(array),
            Param::Scalar { .. } | Param::Chunk => None,
        })
    }

    /// Every scalar parameter's name and type.
    pub(crate) fn scalars(&self) -> impl Iterator<Item = (&'static str, ScalarKind)> {
        self.params.iter().filter_map(|param| match param {
            Param::Scalar { name, kind } => Some((*name, *kind)),
            Param::Array(_) | Param::Chunk => None,
        })
    }
}

/// Refuses the first name that is given twice or not known.
pub(crate) fn check_names<'n>(
    known: impl Iterator<Item = &'static str> + Clone,
    given: impl Iterator<Item = &'n str>,
) -> Result<(), LaunchError> {
    let mut seen = Vec::new();
    for name in given {
        if !known.clone().any(|known| known == name) {
            return Err(LaunchError::bad_argument(
                name,
                "the entry has no such argument",
            ));
        }
        if seen.contains(&name) {
            return Err(LaunchError::bad_argument(
                name,
                "the argument is given twice",
            ));
        }
        seen.push(name);
    }
    Ok(())
}

impl ArrayParam {
    /// An array of `T`, which the macro took for `dtype` by its spelling.
    ///
    /// # Panics
    /// In constant evaluation, if the spelling was of some other type.
    pub const fn of<T: Element>(
        name: &'static str,
        dtype: &'static str,
        shape: &'static [Extent],
        access: Access,
        streamed: bool,
    ) -> Self {
        assert!(
            is_equal(T::DTYPE, dtype),
            "an element type has the name of another one of the SDK's"
        );
        Self {
            name,
            dtype,
            element_bytes: size_of::<T>(),
            is_bool: T::IS_BOOL,
            shape,
            access,
            streamed,
        }
    }

    /// The number of elements under these extents, or a bad argument where its bytes do not fit the
    /// address space. A streamed array need not fit.
    pub(crate) fn len_elements(&self, dims: &[usize]) -> Result<usize, LaunchError> {
        let extent = |extent: &Extent| match *extent {
            Extent::Dim(position) => dims[position],
            Extent::Fixed(extent) => extent,
        };
        let len = self
            .shape
            .iter()
            .map(extent)
            .try_fold(1_usize, usize::checked_mul);
        let bytes = len.and_then(|len| len.checked_mul(self.element_bytes));
        let fits = self.streamed || bytes.is_some_and(|bytes| isize::try_from(bytes).is_ok());
        len.filter(|_| fits).ok_or_else(|| {
            let reason =
                "the array is larger than the address space; a kernel can stream it as `Chunks`";
            LaunchError::bad_argument(self.name, reason)
        })
    }

    /// The number of bytes of an array that is held whole.
    pub(crate) fn len_bytes(&self, dims: &[usize]) -> Result<usize, LaunchError> {
        // No overflow: `len_elements` has seen that the bytes fit.
        Ok(self.len_elements(dims)? * self.element_bytes)
    }

    /// Refuses an array of another size than `len_elements`.
    pub(crate) fn check_size(&self, len_elements: usize, found: u64) -> Result<(), LaunchError> {
        let expected = (len_elements as u64).checked_mul(self.element_bytes as u64);
        if expected == Some(found) {
            return Ok(());
        }
        let reason = format!(
            "{found} bytes, but {len_elements} elements of {} are expected",
            self.dtype
        );
        Err(LaunchError::bad_argument(self.name, reason))
    }
}

/// The entry of that name.
pub(crate) fn find<'e>(entries: &[&'e Entry], name: &str) -> Result<&'e Entry, LaunchError> {
    entries
        .iter()
        .find(|entry| entry.name == name)
        .copied()
        .ok_or_else(|| LaunchError::UnknownEntry(name.to_owned()))
}

/// `==` for constant evaluation.
const fn is_equal(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut at = 0;
    while at < a.len() && at < b.len() && a[at] == b[at] {
        at += 1;
    }
    at == a.len() && at == b.len()
}
