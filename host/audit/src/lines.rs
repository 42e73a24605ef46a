//! Records as they stand in a file, one after the other.

use crate::error::AuditError;
use crate::own;
use crate::record::RECORD_BYTES;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// The lines of a file.
#[derive(Debug)]
pub(crate) struct Lines {
    path: PathBuf,
    file: BufReader<File>,
    /// Where the next begins.
    at: u64,
    line: Vec<u8>,
}

/// A line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    /// Where it begins, in bytes.
    pub(crate) offset: u64,
    /// The record, without its newline.
    pub(crate) record: &'a [u8],
    /// Whether there was a newline: without, the file ends here, or the line is longer than any record.
    pub(crate) is_whole: bool,
}

impl Lines {
    /// Those from that byte on.
    pub(crate) fn from(path: &Path, offset: u64) -> Result<Self, AuditError> {
        let mut file = own::open_signed(path)?;
        file.seek(SeekFrom::Start(offset))
            .map_err(AuditError::io(path))?;
        Ok(Self {
            path: path.to_owned(),
            file: BufReader::with_capacity(RECORD_BYTES, file),
            at: offset,
            line: Vec::new(),
        })
    }

    /// Where the next line begins.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    /// The next.
    pub(crate) fn next(&mut self) -> Result<Option<Line<'_>>, AuditError> {
        self.line.clear();
        let longest = RECORD_BYTES as u64 + 1;
        let read = (&mut self.file)
            .take(longest)
            .read_until(b'\n', &mut self.line);
        let read = read.map_err(AuditError::io(&self.path))?;
        if read == 0 {
            return Ok(None);
        }
        let offset = self.at;
        self.at += read as u64;
        let record = self.line.strip_suffix(b"\n");
        Ok(Some(Line {
            offset,
            record: record.unwrap_or(&self.line),
            is_whole: record.is_some(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_with_their_places_and_a_torn_one_is_told() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("file");
        std::fs::write(&path, "one\n\ntw").unwrap();
        let mut lines = Lines::from(&path, 0).unwrap();
        for (offset, record, is_whole) in [(0, "one", true), (4, "", true), (5, "tw", false)] {
            let line = lines.next().unwrap().unwrap();
            assert_eq!(
                (line.offset, line.record, line.is_whole),
                (offset, record.as_bytes(), is_whole)
            );
        }
        assert_eq!(lines.next().unwrap(), None);
    }
}
