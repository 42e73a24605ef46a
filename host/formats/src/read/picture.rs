//! PNG and APNG: arrays of u8 or u16 as pictures, (h,w) gray or (h,w,c) with 2, 3 or 4 channels.
//!
//! Reading expands palettes to RGB or RGBA, gray below 8 bits to the full range of u8, and a transparent colour
//! to an alpha channel. Of an animated PNG it reads the default image, which in most is the first frame.
//! The size is checked from the header alone, before any row is decoded, and chunks that do not bear on the samples
//! are passed over before they reach the decoder ([`essential`]).

use super::data::zeroed;
use super::{Form, ReadError, ReadLimits, check_limit};
use crate::npy::swap;
use hotcell_model::array::{ArrayType, ShapeError};
use hotcell_model::manifest::DType;
use png::{BitDepth, ColorType, DecodingError, Limits, Reader, Transformations};
use std::fmt;
use std::fs::File;
use std::io::BufReader;

mod essential;

use essential::Essential;

/// The longest row of a picture after expansion, in bytes: 131 072 pixels of 16-bit RGBA.
///
/// It bounds the decoder's workspace: its buffers hold a few rows, and twice that while they grow.
pub const MAX_ROW_BYTES: u64 = 1 << 20;

/// What the decoder may hold beside rows: the palette and its transparency.
const CHUNK_BYTES: usize = 1 << 20;

/// Why a picture is refused.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// The bytes are no valid PNG.
    #[error("not a valid PNG")]
    Decode(#[from] DecodingError),
    /// The rows are too long to be buffered.
    #[error("a row has {requested} bytes, maximum {maximum}: split the picture, or use .npy")]
    RowTooLong {
        /// Bytes in a row.
        requested: u64,
        /// [`MAX_ROW_BYTES`].
        maximum: u64,
    },
    /// The palette is no list of 1 to 256 colours of three bytes.
    #[error("the palette has {0} bytes, which are not 1 to 256 colours of three")]
    Palette(usize),
    /// No array has this shape.
    #[error(transparent)]
    Shape(#[from] ShapeError),
}

/// A picture whose chunks up to the image have been read.
pub(crate) struct Picture {
    reader: Box<Reader<Essential<BufReader<File>>>>,
    ty: ArrayType,
}

impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Picture")
            .field("ty", &self.ty)
            .finish_non_exhaustive()
    }
}

impl Picture {
    pub(crate) fn open(source: File, file: &str, limits: &ReadLimits) -> Result<Self, ReadError> {
        let refused = |source: PictureError| ReadError::Picture {
            file: file.to_owned(),
            source,
        };
        let budget = Limits { bytes: CHUNK_BYTES };
        let source = Essential::new(BufReader::new(source));
        let mut decoder = png::Decoder::new_with_limits(source, budget);
        decoder.set_transformations(Transformations::EXPAND);
        let info = decoder.read_header_info().map_err(|e| refused(e.into()))?;
        // The least that it will be: later chunks can only add an alpha channel, and then it is checked again.
        let fewest = match info.color_type {
            ColorType::Indexed => ColorType::Rgb,
            other => other,
        };
        let ty = picture_type(info.size(), fewest, info.bit_depth).map_err(refused)?;
        check_limit(file, ty.size_bytes(), limits, Form::Picture)?;
        let reader = Box::new(decoder.read_info().map_err(|e| refused(e.into()))?);
        check_palette(reader.info()).map_err(refused)?;
        let (color, depth) = reader.output_color_type();
        let ty = picture_type(reader.info().size(), color, depth).map_err(refused)?;
        check_limit(file, ty.size_bytes(), limits, Form::Picture)?;
        Ok(Self { reader, ty })
    }

    pub(crate) fn ty(&self) -> &ArrayType {
        &self.ty
    }

    /// Decodes the image into the `len` bytes that its type has.
    pub(crate) fn read(mut self, len: usize, file: &str) -> Result<Vec<u8>, ReadError> {
        let mut data = zeroed(len, file)?;
        let decoded = self.reader.next_frame(&mut data);
        decoded.map_err(|source| ReadError::Picture {
            file: file.to_owned(),
            source: source.into(),
        })?;
        if self.ty.dtype() == DType::U16 {
            swap::<2>(&mut data);
        }
        Ok(data)
    }
}

/// Checks what png 0.18.1 does not before it indexes the palette (image-rs/image-png#694).
fn check_palette(info: &png::Info<'_>) -> Result<(), PictureError> {
    let bytes = info.palette.as_ref().map(|palette| palette.len());
    match bytes {
        Some(bytes) if bytes % 3 != 0 || !(3..=768).contains(&bytes) => {
            Err(PictureError::Palette(bytes))
        }
        _ => Ok(()),
    }
}

/// The array type of an expanded picture; its rows are checked against [`MAX_ROW_BYTES`].
fn picture_type(
    (width, height): (u32, u32),
    color: ColorType,
    depth: BitDepth,
) -> Result<ArrayType, PictureError> {
    let dtype = match depth {
        BitDepth::Sixteen => DType::U16,
        _ => DType::U8,
    };
    let channels = color.samples() as u64;
    let requested = u64::from(width) * channels * dtype.size_bytes();
    if requested > MAX_ROW_BYTES {
        return Err(PictureError::RowTooLong {
            requested,
            maximum: MAX_ROW_BYTES,
        });
    }
    let mut shape = vec![u64::from(height), u64::from(width)];
    if channels > 1 {
        shape.push(channels);
    }
    Ok(ArrayType::new(dtype, shape)?)
}
