//! Arrays in files: `.npy`, members of `.npz` archives, PNG pictures and APNG animations.
//!
//! Reading has two steps, so that a launch can check shapes before it pays for bytes: [`open`] reads a
//! header, [`ArrayReader::read_all`] the data. Writing has two as well: [`prepare`] refuses before the run what
//! could not be written after it, [`commit_all`] writes every output to a temporary file and only then renames.
//!
//! Input files come from anyone. The invariant of this crate: sizes are checked against [`ReadLimits`] before
//! memory is asked for, nothing that a file says leads to a panic, and a name in an output directory holds
//! either the whole old file or the whole new one.

mod locator;
mod npy;
mod npz;
mod place;
mod read;
mod write;

pub use locator::{FramePattern, Locator, LocatorError};
pub use npy::header::{HeaderError, MAX_HEADER_BYTES, MAX_RANK};
pub use npz::{DirectoryError, MAX_DIRECTORY_BYTES, MAX_MEMBERS};
pub use place::{FileId, Place, open_regular};
pub use read::picture::{MAX_ROW_BYTES, PictureError};
pub use read::{ArrayReader, Form, ReadError, ReadLimits, open};
pub use write::{
    Durability, FrameDelay, GoOn, MAX_FRAMES, Sink, WriteError, check_distinct, commit_all,
    commit_all_while, picture, prepare,
};
