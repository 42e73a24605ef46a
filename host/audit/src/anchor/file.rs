//! A file that checkpoints are appended to: on another disk, another machine's, or one that can only be appended to.

use super::{Anchor, AnchorError, Told};
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

/// A file that checkpoints are appended to.
#[derive(Clone, Debug)]
pub struct FileAnchor(PathBuf);

impl FileAnchor {
    /// The file at that path, made where there is none.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }
}

impl Anchor for FileAnchor {
    fn name(&self) -> String {
        self.0.display().to_string()
    }

    fn tell(&self, told: &Told<'_>) -> Result<(), AnchorError> {
        let mut options = OpenOptions::new();
        let file = options.create(true).append(true).mode(0o600).open(&self.0);
        let written = file.and_then(|mut file| {
            file.write_all(told.note.as_bytes())?;
            file.sync_data()
        });
        written.map_err(|source| AnchorError::Io {
            what: self.name(),
            source,
        })
    }
}
