//! Archives of arrays, `.npz`: a zip file of `.npy` files, whose directory is parsed in [`directory`].

pub(crate) mod directory;
mod write;

use directory::Directory;
pub use directory::{DirectoryError, MAX_DIRECTORY_BYTES, MAX_MEMBERS};
use std::fs::File;
pub(crate) use write::write;

/// The names of an archive's arrays, without their ending.
pub(crate) fn members(archive: &File) -> Result<Vec<String>, DirectoryError> {
    let directory = Directory::read(archive)?;
    let bare = |name: &&[u8]| {
        let name = name.strip_suffix(b".npy").unwrap_or(name);
        String::from_utf8_lossy(name).into_owned()
    };
    Ok(directory.names().iter().map(bare).collect())
}
