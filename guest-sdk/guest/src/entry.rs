//! What the macro tells the SDK of a kernel: its parameters, and the function that runs it.

use crate::chunk::Chunk;
use crate::element::{Element, first_invalid};
use crate::error::{Reason, Refusal};
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
pub type Call = unsafe fn(*const usize, *const Slot, &mut Option<String>);

/// One parameter's value on its way into a kernel: a scalar's bits, or an address. What a slot does not have is 0: the
/// macro describes each parameter once, and reads from its slot what it has described.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    bits: u64,
    address: *mut u8,
}

impl Slot {
    /// Neither.
    pub(crate) const EMPTY: Self = Self::of_bits(0);

    /// A scalar, widened to 64 bits as [`Scalar`] says.
    pub(crate) const fn of_bits(bits: u64) -> Self {
        Self {
            bits,
            address: std::ptr::null_mut(),
        }
    }

    /// An array's first element, or a [`Chunk`], or the `Reader`, `Writer` or `Exchange` of a stream.
    pub(crate) const fn of_address(address: *mut u8) -> Self {
        Self { bits: 0, address }
    }

    /// The scalar's bits.
    #[inline]
    pub const fn bits(self) -> u64 {
        self.bits
    }

    /// The address.
    #[inline]
    pub const fn address<T>(self) -> *mut T {
        self.address.cast()
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
    /// Finds the first byte that is no value, where not every byte is a part of one.
    pub first_invalid: Option<FirstInvalid>,
    /// The extent of each axis.
    pub shape: &'static [Extent],
    /// Which way its data goes.
    pub access: Access,
    /// Whether it is streamed: a `Chunks`, `ChunksMut` or `ChunksInOut`.
    pub streamed: bool,
}

/// Finds the first byte that is no value of an element type.
pub type FirstInvalid = fn(&[u8]) -> Option<usize>;

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

impl ScalarKind {
    /// The type's name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::I32 => "i32",
            Self::I64 => "i64",
            Self::U32 => "u32",
            Self::U64 => "u64",
            Self::F32 => "f32",
            Self::F64 => "f64",
        }
    }
}

impl fmt::Display for ScalarKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
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

    /// How many extents there are: of `dims` and `halos`.
    pub(crate) const fn extents_len(&self) -> usize {
        self.dims.len() + self.halos.len()
    }

    /// Fills in the extents of `dims`, which `extent` has by position and name, and the rows of each of `halos` in the
    /// chunk. There is room for [`extents_len`](Self::extents_len).
    pub(crate) fn fill_extents<'r>(
        &self,
        chunk: Chunk,
        extents: &mut [usize],
        extent: impl Fn(usize, &'static str) -> Result<u64, Box<Refusal<'r>>>,
    ) -> Result<(), Box<Refusal<'r>>> {
        let (named, rows) = extents
            .split_at_mut_checked(self.dims.len())
            .unwrap_or_default();
        for (at, (&name, place)) in self.dims.iter().zip(&mut *named).enumerate() {
            let extent = extent(at, name)?;
            *place = usize::try_from(extent)
                .map_err(|_| Refusal::bad_argument(name, Reason::Extent(extent)))?;
        }
        for (halo, place) in self.halos.iter().zip(rows) {
            let reach = halo.rows as usize;
            let more = chunk.before(reach).saturating_add(chunk.after(reach));
            let own = named.get(halo.dim).copied();
            *place = own.and_then(|own| own.checked_add(more)).ok_or_else(|| {
                let name = self.dims.get(halo.dim).copied().unwrap_or_default();
                let reason = "its rows and their neighbours are more than can be counted";
                Refusal::fixed(name, reason)
            })?;
        }
        Ok(())
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
            first_invalid: if T::IS_BOOL {
                Some(first_invalid)
            } else {
                None
            },
            shape,
            access,
            streamed,
        }
    }

    /// The number of elements under these extents, or a bad argument where its bytes do not fit the
    /// address space. A streamed array need not fit.
    pub(crate) fn len_elements(&self, extents: &[usize]) -> Result<usize, Box<Refusal<'static>>> {
        let mut len = Some(1_usize);
        for extent in self.shape {
            let extent = match *extent {
                Extent::Dim(position) => extents.get(position).copied(),
                Extent::Fixed(extent) => Some(extent),
            };
            len = len
                .zip(extent)
                .and_then(|(len, extent)| len.checked_mul(extent));
        }
        let bytes = len.and_then(|len| len.checked_mul(self.element_bytes));
        let fits = self.streamed || bytes.is_some_and(|bytes| isize::try_from(bytes).is_ok());
        let reason =
            "the array is larger than the address space; a kernel can stream it as `Chunks`";
        len.filter(|_| fits)
            .ok_or_else(|| Refusal::fixed(self.name, reason))
    }

    /// Refuses an array of another size than `elements`.
    pub(crate) fn check_size(
        &self,
        elements: usize,
        given_bytes: u64,
    ) -> Result<(), Box<Refusal<'static>>> {
        let (elements, dtype) = (elements as u64, self.dtype);
        if elements.checked_mul(self.element_bytes as u64) == Some(given_bytes) {
            return Ok(());
        }
        let reason = Reason::Size {
            given_bytes,
            elements,
            dtype,
        };
        Err(Refusal::bad_argument(self.name, reason))
    }
}

/// The entry of that name.
pub(crate) fn find<'e, 'r>(
    entries: &[&'e Entry],
    name: &'r str,
) -> Result<&'e Entry, Box<Refusal<'r>>> {
    let mut entries = entries.iter();
    let found = entries.find(|entry| entry.name == name);
    found
        .copied()
        .ok_or_else(|| Box::new(Refusal::UnknownEntry(name)))
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
