//! Encoding pictures and animations.

use super::FrameDelay;
use crate::npy::swap;
use hotcell_model::array::ArrayType;
use hotcell_model::manifest::DType;
use png::{BitDepth, ColorType, Compression, Encoder, EncodingError};
use std::borrow::Cow;
use std::io::{self, Write};

/// The sizes of the pictures that an array is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frames {
    /// How many: 1 for a single picture.
    pub(crate) count: u32,
    height: u32,
    width: u32,
    channels: u8,
    depth: BitDepth,
}

impl Frames {
    /// (h,w) or (h,w,c), c from 1 to 4, as one picture; `None` if the array is no picture.
    pub(crate) fn single(ty: &ArrayType) -> Option<Self> {
        match *ty.shape() {
            [height, width] => Self::new(ty.dtype(), 1, [height, width, 1]),
            [height, width, channels] => Self::new(ty.dtype(), 1, [height, width, channels]),
            _ => None,
        }
    }

    /// (t,h,w) or (t,h,w,c) as `t` pictures; `None` if the array is none.
    pub(crate) fn several(ty: &ArrayType) -> Option<Self> {
        match *ty.shape() {
            [count, height, width] => Self::new(ty.dtype(), count, [height, width, 1]),
            [count, height, width, channels] => {
                Self::new(ty.dtype(), count, [height, width, channels])
            }
            _ => None,
        }
    }

    fn new(dtype: DType, count: u64, [height, width, channels]: [u64; 3]) -> Option<Self> {
        let depth = match dtype {
            DType::U8 => BitDepth::Eight,
            DType::U16 => BitDepth::Sixteen,
            _ => return None,
        };
        // PNG's own limit on extents and on the number of frames.
        let extent = |value: u64| {
            i32::try_from(value)
                .ok()
                .filter(|&v| v > 0)?
                .try_into()
                .ok()
        };
        Some(Self {
            count: extent(count)?,
            height: extent(height)?,
            width: extent(width)?,
            channels: u8::try_from(channels)
                .ok()
                .filter(|c| (1..=4).contains(c))?,
            depth,
        })
    }

    /// Bytes of one picture in the array.
    pub(crate) fn frame_bytes(&self, total: usize) -> usize {
        total / usize::try_from(self.count).unwrap_or(usize::MAX).max(1)
    }

    fn encoder<W: Write>(&self, target: W) -> Encoder<'static, W> {
        let mut encoder = Encoder::new(target, self.width, self.height);
        encoder.set_depth(self.depth);
        encoder.set_compression(Compression::Fast);
        encoder.set_color(match self.channels {
            1 => ColorType::Grayscale,
            2 => ColorType::GrayscaleAlpha,
            3 => ColorType::Rgb,
            _ => ColorType::Rgba,
        });
        encoder
    }

    /// PNG's samples are big-endian: only u16 needs a copy.
    fn samples<'a>(&self, frame: &'a [u8]) -> Cow<'a, [u8]> {
        match self.depth {
            BitDepth::Sixteen => {
                let mut swapped = frame.to_vec();
                swap::<2>(&mut swapped);
                Cow::Owned(swapped)
            }
            _ => Cow::Borrowed(frame),
        }
    }

    /// Writes one picture.
    pub(crate) fn write_picture(&self, target: &mut dyn Write, frame: &[u8]) -> io::Result<()> {
        let mut writer = self.encoder(target).write_header().map_err(to_io)?;
        writer
            .write_image_data(&self.samples(frame))
            .map_err(to_io)?;
        writer.finish().map_err(to_io)
    }

    /// Writes all of them as an animation that repeats for ever.
    pub(crate) fn write_animation(
        &self,
        target: &mut dyn Write,
        data: &[u8],
        delay: FrameDelay,
    ) -> io::Result<()> {
        let mut encoder = self.encoder(target);
        encoder.set_animated(self.count, 0).map_err(to_io)?;
        encoder
            .set_frame_delay(delay.numerator, delay.denominator)
            .map_err(to_io)?;
        encoder.validate_sequence(true);
        let mut writer = encoder.write_header().map_err(to_io)?;
        for frame in data.chunks_exact(self.frame_bytes(data.len())) {
            writer
                .write_image_data(&self.samples(frame))
                .map_err(to_io)?;
        }
        writer.finish().map_err(to_io)
    }
}

/// A full disk must stay recognisable; the encoder's other errors mean that the type was not checked.
fn to_io(error: EncodingError) -> io::Error {
    match error {
        EncodingError::IoError(error) => error,
        other => io::Error::other(other),
    }
}
