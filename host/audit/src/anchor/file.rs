//! A file that checkpoints are appended to: on another disk, another machine's, or one that can only be appended to.

use super::{Anchor, AnchorError, Told};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;

/// A file that checkpoints are appended to.
#[derive(Clone, Debug)]
pub struct FileAnchor(PathBuf);

impl FileAnchor {
    /// The file at that path, made where there is none.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    fn append(&self, note: &str) -> io::Result<()> {
        let mut options = OpenOptions::new();
        let mut file = options
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&self.0)?;
        let found = file.metadata()?;
        // Half a note, which a write that failed left, would spoil the first line of this one.
        let is_torn = found.is_file() && found.len() != 0 && !self.ends_a_line(found.len());
        let line = if is_torn { "\n" } else { "" };
        file.write_all(format!("{line}{note}").as_bytes())?;
        file.sync_data()
    }

    /// Whether a file that long is known to end in a whole line: whoever may append to it need not be able to read it.
    fn ends_a_line(&self, bytes: u64) -> bool {
        let mut last = [0];
        let read = File::open(&self.0).and_then(|file| file.read_exact_at(&mut last, bytes - 1));
        read.is_ok() && last == *b"\n"
    }
}

impl Anchor for FileAnchor {
    fn name(&self) -> String {
        self.0.display().to_string()
    }

    fn tell(&self, told: &Told<'_>) -> Result<(), AnchorError> {
        self.append(told.note).map_err(|source| AnchorError::Io {
            what: self.name(),
            source,
        })
    }
}
