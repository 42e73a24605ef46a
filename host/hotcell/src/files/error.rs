//! What the operating system says, in the words that a guest knows.

use hotcell_model::files::FileError;
use rustix::io::Errno;
use std::io;

/// Why something could not be done. No word of it says where a directory is.
pub(super) fn told(error: &io::Error) -> FileError {
    let Some(errno) = Errno::from_io_error(error) else {
        return match error.kind() {
            // A path that leads outside, as `cap-std` says it.
            io::ErrorKind::PermissionDenied => FileError::NotPermitted,
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => FileError::Invalid,
            io::ErrorKind::NotFound => FileError::NoEntry,
            _ => FileError::Io,
        };
    };
    match errno {
        Errno::ACCESS => FileError::Access,
        Errno::BADF => FileError::BadDescriptor,
        Errno::BUSY | Errno::TXTBSY => FileError::Busy,
        Errno::XDEV => FileError::CrossDevice,
        Errno::EXIST => FileError::Exists,
        Errno::FBIG => FileError::TooLarge,
        Errno::INVAL | Errno::ILSEQ | Errno::OVERFLOW => FileError::Invalid,
        Errno::ISDIR => FileError::IsDirectory,
        Errno::LOOP => FileError::Loop,
        Errno::NAMETOOLONG => FileError::NameTooLong,
        Errno::NOENT => FileError::NoEntry,
        Errno::NOSPC | Errno::DQUOT => FileError::NoSpace,
        Errno::NOTDIR => FileError::NotDirectory,
        Errno::NOTEMPTY => FileError::NotEmpty,
        Errno::PERM => FileError::NotPermitted,
        Errno::ROFS => FileError::ReadOnly,
        Errno::OPNOTSUPP | Errno::NOSYS => FileError::Unsupported,
        // A special file that nobody serves.
        Errno::NXIO | Errno::NODEV => FileError::Unsupported,
        _ => FileError::Io,
    }
}
