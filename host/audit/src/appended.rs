//! A file that pieces are appended to, each of them whole or not at all: a disk that is full leaves no half.

use crate::error::AuditError;
use crate::own;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// A file that nobody else writes to.
#[derive(Debug)]
pub(crate) struct Appended {
    file: File,
    /// How long the file is, but for what a failed write left.
    bytes: u64,
    /// Whether a failed write left something.
    needs_cut: bool,
}

impl Appended {
    /// The caller's own file at that path, made where there is none.
    pub(crate) fn open(path: &Path) -> Result<Self, AuditError> {
        let mut options = OpenOptions::new();
        let file = own::open(path, options.create(true).truncate(false).write(true))?;
        let bytes = file.metadata().map_err(AuditError::io(path))?.len();
        Ok(Self {
            file,
            bytes,
            needs_cut: false,
        })
    }

    /// Appends a piece.
    pub(crate) fn append(&mut self, piece: &[u8]) -> io::Result<()> {
        if self.needs_cut {
            self.file.set_len(self.bytes)?;
            self.needs_cut = false;
        }
        if let Err(error) = self.file.write_all_at(piece, self.bytes) {
            self.needs_cut = self.file.set_len(self.bytes).is_err();
            return Err(error);
        }
        self.bytes += piece.len() as u64;
        Ok(())
    }
}
