//! Reading: a locator, the limits, and the two steps from a file to an array's bytes.

mod data;
mod npz;
pub(crate) mod picture;
mod transpose;

use self::npz::Archive;
use self::picture::{Picture, PictureError};
use crate::locator::Locator;
use crate::npy::descr;
use crate::npy::header::{Header, HeaderError};
use crate::npz::DirectoryError;
use crate::place::open_regular;
use hotcell_model::array::{ArrayType, ShapeError};
use hotcell_model::manifest::DType;
use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// What reading one array may cost.
#[derive(Clone, Copy, Debug)]
pub struct ReadLimits {
    /// The most bytes of one array in memory. Default 4 GiB.
    ///
    /// It does not cover the decoder's workspace beside the array: at most 16 MiB and never more than the array for
    /// one in Fortran order, 8 MiB for a picture's rows and 1 MiB for its palette, 2 MiB for an archive's directory.
    pub max_bytes: u64,
}

impl Default for ReadLimits {
    fn default() -> Self {
        Self { max_bytes: 4 << 30 }
    }
}

/// Why an array could not be read. `file` is the path, with `:member` for an archive's member.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file could not be opened.
    #[error("cannot open {file}")]
    Open {
        /// The file.
        file: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A directory, pipe or device.
    #[error("{file} is not a regular file: copy its content into one first")]
    NotAFile {
        /// The file.
        file: String,
    },
    /// A form that only outputs have.
    #[error("{file} is an output's form: read a .npy, a .npz:MEMBER or a .png")]
    OutputOnly {
        /// The locator.
        file: String,
    },
    /// Reading failed.
    #[error("cannot read {file}")]
    Io {
        /// The file.
        file: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The `.npy` header is refused.
    #[error("cannot use {file}")]
    Header {
        /// The file.
        file: String,
        /// The cause.
        #[source]
        source: HeaderError,
    },
    /// The shape is of too high a rank, or overflows.
    #[error("cannot use {file}")]
    Shape {
        /// The file.
        file: String,
        /// The cause.
        #[source]
        source: ShapeError,
    },
    /// The array is above the limit on bytes in memory.
    #[error("{file} holds an array of {requested} bytes, maximum in memory {maximum}: {form}")]
    TooLarge {
        /// The file.
        file: String,
        /// Size of the array in bytes.
        requested: u64,
        /// [`ReadLimits::max_bytes`].
        maximum: u64,
        /// Why it would have to be in memory, and what to do.
        form: Form,
    },
    /// The machine has no memory for an array within the limit.
    #[error(
        "no memory for the {requested} bytes of {file}: close other programs, or pass a smaller array"
    )]
    OutOfMemory {
        /// The file.
        file: String,
        /// Size of the allocation in bytes.
        requested: usize,
    },
    /// The file ends before its data does.
    #[error(
        "{file} is cut short: its header promises {requested} bytes of data, {available} are there"
    )]
    Truncated {
        /// The file.
        file: String,
        /// Bytes promised.
        requested: u64,
        /// Bytes present.
        available: u64,
    },
    /// A bool that is neither 0 nor 1.
    #[error(
        "element {index} of the bool array in {file} has the byte {value}, where only 0 and 1 are allowed"
    )]
    NotBool {
        /// The file.
        file: String,
        /// The element, in the file's order.
        index: u64,
        /// Its byte.
        value: u8,
    },
    /// The archive, or the member's place in it, is refused.
    #[error("cannot use {file}")]
    Archive {
        /// The archive, or the file and member.
        file: String,
        /// The cause.
        #[source]
        source: DirectoryError,
    },
    /// There is no such member.
    #[error("{file} is not in the archive, which has: {members}")]
    MissingMember {
        /// The file and member.
        file: String,
        /// Up to ten names that it has, escaped.
        members: String,
    },
    /// The archive's directory and the array's header disagree about the member's size.
    #[error(
        "{file} has {available} bytes in the archive's directory, but its header asks for {requested}"
    )]
    MemberSize {
        /// The file and member.
        file: String,
        /// Header and data, in bytes.
        requested: u64,
        /// What the directory says.
        available: u64,
    },
    /// The member goes on after its array.
    #[error("{file} holds more than its header promises")]
    TrailingData {
        /// The file and member.
        file: String,
    },
    /// The picture is refused.
    #[error("cannot use {file} as a picture")]
    Picture {
        /// The file.
        file: String,
        /// The cause.
        #[source]
        source: PictureError,
    },
}

/// The form of an array that is too large to be read into memory: what stands against streaming it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Nothing: a `.npy` whose bytes are the array's as they lie.
    AsItLies,
    /// A `.npy` that is big-endian, in Fortran order, or both.
    Reordered {
        /// Whether each number's bytes are the other way round.
        big_endian: bool,
        /// Whether the first axis is the fastest.
        fortran_order: bool,
        /// NumPy's name of the dtype, little-endian.
        descr: &'static str,
    },
    /// A member of an archive.
    Member,
    /// A picture.
    Picture,
}

impl Form {
    fn of(header: &Header) -> Self {
        let fortran_order = header.fortran_order && header.shape.len() > 1;
        if !header.big_endian && !fortran_order {
            return Self::AsItLies;
        }
        Self::Reordered {
            big_endian: header.big_endian,
            fortran_order,
            descr: descr::code(header.dtype),
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::AsItLies => f.write_str("a .npy like this is streamed, not read whole"),
            Self::Reordered {
                big_endian,
                fortran_order,
                descr,
            } => {
                let order = match (big_endian, fortran_order) {
                    (true, true) => "big-endian and in Fortran order",
                    (true, false) => "big-endian",
                    _ => "in Fortran order",
                };
                write!(
                    f,
                    "it is {order}, and above this size only a .npy that is little-endian and in C order is taken, \
                     which is streamed; save it again with `np.save(FILE, np.ascontiguousarray(a, '<{descr}'))`"
                )
            }
            Self::Member => f.write_str(
                "members of archives are not streamed, a .npy of its own is; save it with `np.save(FILE, a)`",
            ),
            Self::Picture => {
                f.write_str("pictures are not streamed; cut it up, or save it as a .npy, which is")
            }
        }
    }
}

impl ReadError {
    pub(crate) fn io(file: &str, source: io::Error) -> Self {
        Self::Io {
            file: file.to_owned(),
            source,
        }
    }

    pub(crate) fn header(file: &str, source: HeaderError) -> Self {
        Self::Header {
            file: file.to_owned(),
            source,
        }
    }

    pub(crate) fn archive(file: &str, source: DirectoryError) -> Self {
        Self::Archive {
            file: file.to_owned(),
            source,
        }
    }

    pub(crate) fn out_of_memory(file: &str, requested: usize) -> Self {
        Self::OutOfMemory {
            file: file.to_owned(),
            requested,
        }
    }
}

/// An array whose header has been read and checked; its data has not.
#[derive(Debug)]
pub struct ArrayReader {
    file: String,
    ty: ArrayType,
    limits: ReadLimits,
    source: OpenSource,
}

#[derive(Debug)]
enum OpenSource {
    Npy { file: Arc<File>, header: Header },
    Npz(Box<Archive>),
    Picture(Picture),
}

/// Reads the header of the array at `locator`.
///
/// A `.npy` above `max_bytes` opens, since it can be streamed by [`ArrayReader::as_file_range`]; a member of an
/// archive and a picture do not. NumPy ignores bytes after the data of a `.npy`, and so does this.
///
/// # Errors
///
/// [`ReadError`]; nothing beyond the header and an archive's directory has been read or allocated then.
pub fn open(locator: &Locator, limits: &ReadLimits) -> Result<ArrayReader, ReadError> {
    let file = locator.to_string()[1..].to_owned();
    match locator {
        Locator::Npy(path) => open_npy(file, path, limits),
        Locator::NpzMember { path, member } => {
            let shown = path.display().to_string();
            let archive = Archive::open(open_file(path)?, &shown, member, limits)?;
            Ok(ArrayReader {
                ty: checked_type(&file, archive.header())?,
                file,
                limits: *limits,
                source: OpenSource::Npz(Box::new(archive)),
            })
        }
        Locator::Png(path) => {
            let picture = Picture::open(open_file(path)?, &file, limits)?;
            Ok(ArrayReader {
                file,
                ty: picture.ty().clone(),
                limits: *limits,
                source: OpenSource::Picture(picture),
            })
        }
        Locator::Apng(_) | Locator::Frames(_) => Err(ReadError::OutputOnly { file }),
    }
}

fn open_npy(file: String, path: &Path, limits: &ReadLimits) -> Result<ArrayReader, ReadError> {
    let handle = open_file(path)?;
    let header = Header::read(&mut Range::new(&handle, 0))
        .map_err(|source| ReadError::header(&file, source))?;
    let ty = checked_type(&file, &header)?;
    let metadata = handle.metadata();
    let file_bytes = metadata
        .map_err(|source| ReadError::io(&file, source))?
        .len();
    let available = file_bytes.saturating_sub(header.data_offset);
    if available < ty.size_bytes() {
        return Err(ReadError::Truncated {
            file,
            requested: ty.size_bytes(),
            available,
        });
    }
    Ok(ArrayReader {
        file,
        ty,
        limits: *limits,
        source: OpenSource::Npy {
            file: Arc::new(handle),
            header,
        },
    })
}

/// Opens a regular file; a pipe is refused before it could block.
fn open_file(path: &Path) -> Result<File, ReadError> {
    let file = path.display().to_string();
    open_regular(path).map_err(|source| match source.kind() {
        io::ErrorKind::InvalidInput => ReadError::NotAFile { file },
        _ => ReadError::Open { file, source },
    })
}

/// The array's type, whose size in bytes is known not to overflow.
pub(crate) fn checked_type(file: &str, header: &Header) -> Result<ArrayType, ReadError> {
    ArrayType::new(header.dtype, header.shape.as_slice()).map_err(|source| ReadError::Shape {
        file: file.to_owned(),
        source,
    })
}

/// The size as a length in memory, if the limit allows it.
pub(crate) fn check_limit(
    file: &str,
    size_bytes: u64,
    limits: &ReadLimits,
    form: Form,
) -> Result<usize, ReadError> {
    usize::try_from(size_bytes)
        .ok()
        .filter(|_| size_bytes <= limits.max_bytes)
        .ok_or_else(|| ReadError::TooLarge {
            file: file.to_owned(),
            requested: size_bytes,
            maximum: limits.max_bytes,
            form,
        })
}

impl ArrayReader {
    /// The array's dtype and shape.
    pub fn ty(&self) -> &ArrayType {
        &self.ty
    }

    /// Reads the whole array: C order, little-endian.
    ///
    /// # Errors
    ///
    /// [`ReadError`]; [`ReadError::TooLarge`] before anything is allocated.
    pub fn read_all(self) -> Result<Vec<u8>, ReadError> {
        let form = match &self.source {
            OpenSource::Npy { header, .. } => Form::of(header),
            OpenSource::Npz(_) => Form::Member,
            OpenSource::Picture(_) => Form::Picture,
        };
        let len = check_limit(&self.file, self.ty.size_bytes(), &self.limits, form)?;
        match self.source {
            OpenSource::Npy { file, header } => {
                let mut range = Range::new(&file, header.data_offset);
                data::read(&header, len, &mut range, &self.file)
            }
            OpenSource::Npz(archive) => archive.read_data(len, &self.file),
            OpenSource::Picture(picture) => picture.read(len, &self.file),
        }
    }

    /// As [`read_all`](Self::read_all), into memory of the array's size: a `.npy` without a copy between.
    ///
    /// # Errors
    ///
    /// As [`read_all`](Self::read_all).
    ///
    /// # Panics
    ///
    /// `bytes` has another size.
    pub fn read_into(self, bytes: &mut [u8]) -> Result<(), ReadError> {
        assert_eq!(bytes.len() as u64, self.ty.size_bytes(), "the array's size");
        if let OpenSource::Npy { file, header } = &self.source {
            check_limit(
                &self.file,
                self.ty.size_bytes(),
                &self.limits,
                Form::of(header),
            )?;
            let mut range = Range::new(file, header.data_offset);
            return data::fill(header, bytes, &mut range, &self.file);
        }
        bytes.copy_from_slice(&self.read_all()?);
        Ok(())
    }

    /// The file and the offset of its data, if those bytes are the array as they lie there.
    ///
    /// That holds for a `.npy` in C order and little-endian; one of a single byte an element, or of one
    /// dimension, has no other order. The bytes of bools are looked at first, in pieces, which takes as long as the
    /// file is large. The file was long enough when it was opened; whoever streams it must bear that it shrinks or
    /// changes.
    ///
    /// # Errors
    ///
    /// [`ReadError::NotBool`], or a file of bools that cannot be read.
    pub fn as_file_range(&self) -> Result<Option<(Arc<File>, u64)>, ReadError> {
        let OpenSource::Npy { file, header } = &self.source else {
            return Ok(None);
        };
        if Form::of(header) != Form::AsItLies {
            return Ok(None);
        }
        if header.dtype == DType::Bool {
            let mut range = Range::new(file, header.data_offset);
            data::check_bools_of(&mut range, self.ty.size_bytes(), &self.file)?;
        }
        Ok(Some((Arc::clone(file), header.data_offset)))
    }
}

/// Reads a file from an offset on without moving its cursor, which others may share.
pub(crate) struct Range<'a> {
    file: &'a File,
    at: u64,
}

impl<'a> Range<'a> {
    pub(crate) fn new(file: &'a File, at: u64) -> Self {
        Self { file, at }
    }
}

impl io::Read for Range<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}
