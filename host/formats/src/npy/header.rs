//! The header of a `.npy` file: a strict parser and the writer.
//!
//! The parser is our own (docs/decisions/0004-npy-header.md): a header is one flat dictionary of three known
//! keys, so it needs neither recursion nor big integers, which is what a general parser offers an attacker.
//! The length is capped before the text is read.

use super::descr;
use super::literal::Cursor;
use hotcell_model::array::ArrayType;
use hotcell_model::manifest::DType;
use std::fmt::Write as _;
use std::io::{self, Read};

/// The longest header text that is read, in bytes. NumPy's own are under 200, its default cap is 10 000.
pub const MAX_HEADER_BYTES: u64 = 64 * 1024;

/// The most dimensions of an array: NumPy 2's limit.
pub const MAX_RANK: usize = 64;

const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// NumPy aligns the data to this, and leaves room for the first extent to grow to this many digits.
const DATA_ALIGNMENT: usize = 64;
const GROWTH_DIGITS: usize = 21;

/// What a header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) dtype: DType,
    pub(crate) big_endian: bool,
    pub(crate) fortran_order: bool,
    pub(crate) shape: Vec<u64>,
    /// Bytes before the data.
    pub(crate) data_offset: u64,
}

/// Why a `.npy` header is refused.
#[derive(Debug, thiserror::Error)]
pub enum HeaderError {
    /// The first bytes are not NumPy's.
    #[error("not a .npy file: the first six bytes are not \\x93NUMPY")]
    NotNpy,
    /// A version other than 1.0, 2.0 and 3.0.
    #[error(".npy version {major}.{minor} is unknown (known: 1.0, 2.0, 3.0)")]
    Version {
        /// First version byte.
        major: u8,
        /// Second version byte.
        minor: u8,
    },
    /// The header claims more text than is ever needed.
    #[error("the .npy header claims {requested} bytes, maximum {maximum}")]
    TooLong {
        /// What the file says.
        requested: u64,
        /// [`MAX_HEADER_BYTES`].
        maximum: u64,
    },
    /// The file ends inside the header.
    #[error("the file ends inside its .npy header")]
    Truncated,
    /// The header could not be read.
    #[error("cannot read the .npy header")]
    Io(#[source] io::Error),
    /// The text is not the dictionary that NumPy writes.
    #[error("the .npy header is malformed at byte {offset}: expected {expected}")]
    Syntax {
        /// Offset in the header's text.
        offset: usize,
        /// What would have been right.
        expected: &'static str,
    },
    /// A key that the format does not have, or has twice.
    #[error(
        "the .npy header has the key `{0}` twice or out of place (keys: descr, fortran_order, shape)"
    )]
    Key(String),
    /// One of the three keys is missing.
    #[error("the .npy header lacks `{0}`")]
    MissingKey(&'static str),
    /// An extent below zero.
    #[error("the .npy header has a negative dimension")]
    NegativeDimension,
    /// An extent beyond 64 bits.
    #[error("the .npy header has a dimension beyond 64 bits")]
    DimensionTooLarge,
    /// More dimensions than NumPy allows.
    #[error("the .npy header has more than {maximum} dimensions")]
    TooManyDimensions {
        /// [`MAX_RANK`].
        maximum: usize,
    },
    /// Pickled Python objects, which are never executed.
    #[error(
        "the array holds Python objects (a pickle), which are never loaded: save it again with a numeric dtype, `a.astype('float64')`"
    )]
    Objects,
    /// Records with fields, or sub-arrays.
    #[error("the array has a structured dtype: save each field as an array of its own")]
    Structured,
    /// Text or byte strings.
    #[error("the array holds strings (`{0}`): only numbers and bool can be passed")]
    Strings(String),
    /// Dates or durations.
    #[error("the array holds times (`{0}`): save it again as `a.astype('int64')`")]
    Times(String),
    /// A byte order before a name, which NumPy does not read either.
    #[error("the dtype `{descr}` has a byte order before a name: write `{order}{code}`")]
    Order {
        /// What stands there.
        descr: String,
        /// The byte order.
        order: String,
        /// The name's code.
        code: &'static str,
    },
    /// A dtype that hotcell does not have.
    #[error(
        "the dtype `{0}` is not supported: convert it with `a.astype(...)` to bool, an integer of 8–64 bits, float16–float64, complex64 or complex128"
    )]
    DType(String),
}

impl Header {
    /// Reads a header from the start of a file and leaves the reader at the data.
    pub(crate) fn read(source: &mut dyn Read) -> Result<Self, HeaderError> {
        let mut start = [0; 8];
        fill(source, &mut start).map_err(|error| match error {
            HeaderError::Truncated => HeaderError::NotNpy,
            other => other,
        })?;
        let [magic @ .., major, minor] = start;
        if magic != *MAGIC {
            return Err(HeaderError::NotNpy);
        }
        let (text_bytes, prefix_bytes) = match (major, minor) {
            (1, 0) => (u64::from(u16::from_le_bytes(array(source)?)), 10),
            (2 | 3, 0) => (u64::from(u32::from_le_bytes(array(source)?)), 12),
            _ => return Err(HeaderError::Version { major, minor }),
        };
        let text_len = usize::try_from(text_bytes)
            .ok()
            .filter(|_| text_bytes <= MAX_HEADER_BYTES)
            .ok_or(HeaderError::TooLong {
                requested: text_bytes,
                maximum: MAX_HEADER_BYTES,
            })?;
        let mut text = vec![0; text_len];
        fill(source, &mut text)?;
        Self::parse(&text, prefix_bytes + text_bytes)
    }

    /// Parses the dictionary. `data_offset` is where the data starts.
    pub(crate) fn parse(text: &[u8], data_offset: u64) -> Result<Self, HeaderError> {
        let mut cursor = Cursor::new(text);
        let (mut descr, mut fortran_order, mut shape) = (None, None, None);
        cursor.expect(b'{', "`{`")?;
        while !cursor.eat(b'}') {
            let key = cursor.string("a key or `}`")?;
            cursor.expect(b':', "`:`")?;
            match key {
                "descr" if descr.is_none() => descr = Some(parse_descr(&mut cursor)?),
                "fortran_order" if fortran_order.is_none() => {
                    fortran_order = Some(cursor.boolean()?);
                }
                "shape" if shape.is_none() => shape = Some(parse_shape(&mut cursor)?),
                _ => return Err(HeaderError::Key(clip(key))),
            }
            if !cursor.eat(b',') && cursor.peek() != Some(b'}') {
                return Err(cursor.expected("`,` or `}`"));
            }
        }
        if cursor.peek().is_some() {
            return Err(cursor.expected("nothing but white space after `}`"));
        }
        let (dtype, big_endian) = descr.ok_or(HeaderError::MissingKey("descr"))?;
        Ok(Self {
            dtype,
            big_endian,
            fortran_order: fortran_order.ok_or(HeaderError::MissingKey("fortran_order"))?,
            shape: shape.ok_or(HeaderError::MissingKey("shape"))?,
            data_offset,
        })
    }
}

fn fill(source: &mut dyn Read, buffer: &mut [u8]) -> Result<(), HeaderError> {
    source
        .read_exact(buffer)
        .map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => HeaderError::Truncated,
            _ => HeaderError::Io(error),
        })
}

fn array<const N: usize>(source: &mut dyn Read) -> Result<[u8; N], HeaderError> {
    let mut bytes = [0; N];
    fill(source, &mut bytes)?;
    Ok(bytes)
}

/// A piece of a header as it may stand in a message: it is printable ASCII already, and short after this.
fn clip(text: &str) -> String {
    text.chars().take(32).collect()
}

fn parse_shape(cursor: &mut Cursor<'_>) -> Result<Vec<u64>, HeaderError> {
    let mut shape = Vec::new();
    cursor.expect(b'(', "a tuple of dimensions")?;
    let mut separated = true;
    while !cursor.eat(b')') {
        if !separated {
            return Err(cursor.expected("`,` or `)`"));
        }
        if shape.len() == MAX_RANK {
            return Err(HeaderError::TooManyDimensions { maximum: MAX_RANK });
        }
        shape.push(cursor.integer()?);
        separated = cursor.eat(b',');
    }
    if shape.len() == 1 && !separated {
        return Err(cursor.expected("a tuple: one dimension is written `(3,)`"));
    }
    Ok(shape)
}

fn parse_descr(cursor: &mut Cursor<'_>) -> Result<(DType, bool), HeaderError> {
    if matches!(cursor.peek(), Some(b'[' | b'(' | b'{')) {
        return Err(HeaderError::Structured);
    }
    let descr = cursor.string("a dtype in quotes")?;
    // Nothing that is longer is a dtype, and messages stay short.
    descr::parse(&clip(descr))
}

/// The header of a little-endian C-order array, byte for byte as `numpy.save` writes it (version 1.0).
pub(crate) fn encode(ty: &ArrayType) -> Vec<u8> {
    let (dtype, shape) = (ty.dtype(), ty.shape());
    let order = if dtype.size_bytes() == 1 { '|' } else { '<' };
    let kind = descr::code(dtype);
    let mut text = format!("{{'descr': '{order}{kind}', 'fortran_order': False, 'shape': (");
    for (axis, extent) in shape.iter().enumerate() {
        let separator = if axis == 0 { "" } else { " " };
        let comma = if axis + 1 < shape.len() || axis == 0 {
            ","
        } else {
            ""
        };
        // Writing to a string cannot fail.
        let _ = write!(text, "{separator}{extent}{comma}");
    }
    text.push_str("), }");
    if let Some(first) = shape.first() {
        let digits = first.to_string().len();
        text.push_str(&" ".repeat(GROWTH_DIGITS - digits));
    }
    let prefix = MAGIC.len() + 4;
    let padding = DATA_ALIGNMENT - (prefix + text.len() + 1) % DATA_ALIGNMENT;
    text.push_str(&" ".repeat(padding));
    text.push('\n');
    let text_bytes =
        u16::try_from(text.len()).expect("a few dimensions of 20 digits stay below 64 KiB");
    let mut bytes = Vec::with_capacity(prefix + text.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&[1, 0]);
    bytes.extend_from_slice(&text_bytes.to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

#[cfg(test)]
mod tests;
