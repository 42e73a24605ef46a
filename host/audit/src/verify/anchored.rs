//! What anchors' files have of a host's logs, read a note at a time: such files grow for as long as logs are written.
//!
//! A note begins with a line that is a log's origin, and ends with its signatures. What is neither, or half a note, is what a
//! write leaves that failed: it is told, and proves nothing.

use super::expected::{Roots, Signed};
use super::{Problem, ProblemKind};
use crate::checkpoint::Checkpoint;
use crate::key::{HostKey, host_of};
use crate::note::{MOST_BYTES, SIGNED};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What anchors' files have.
#[derive(Debug, Default)]
pub(super) struct Anchored {
    /// The roots that they have of the host's logs, by origin.
    pub(super) logs: BTreeMap<String, Roots>,
    /// What other hosts, or other keys of this one, are called in them.
    pub(super) others: BTreeSet<String>,
    /// What is to be known, and is nothing wrong.
    pub(super) notes: Vec<String>,
    /// Files that cannot be read.
    pub(super) problems: Vec<Problem>,
}

impl Anchored {
    /// What the files have of the logs of the host with that key.
    pub(super) fn of(files: &[PathBuf], key: &HostKey) -> Self {
        let mut anchored = Self::default();
        for file in files {
            if let Err(error) = anchored.read(file, key) {
                let message = format!("an anchor's file cannot be read: {error}");
                let problem = Problem::of(ProblemKind::Unreadable, message, Some(file));
                anchored.problems.push(problem);
            }
        }
        anchored
    }

    /// An anchor's file need not be the caller's own.
    fn read(&mut self, file: &Path, key: &HostKey) -> io::Result<()> {
        let mut lines = BufReader::new(File::open(file)?);
        let file: Arc<Path> = file.into();
        let (mut note, mut line, mut junk) = (Note::default(), Vec::new(), Junk::default());
        let mut at = 0;
        loop {
            line.clear();
            let read = (&mut lines).take(MOST_BYTES).read_until(b'\n', &mut line)? as u64;
            let begins = line.starts_with(b"hotcell/");
            if read == 0 || begins || note.is_over(&line) {
                let is_one = note.bytes.is_empty() || self.add(&note, &file, key).is_some();
                if !is_one {
                    junk.add(note.offset, note.bytes.len() as u64);
                }
                note = Note::at(at);
            }
            if read == 0 {
                break;
            }
            match begins || !note.bytes.is_empty() {
                true => note.push(&line),
                // A writer ends a line that another left unended.
                false if line != b"\n" => junk.add(at, read),
                false => {}
            }
            at += read;
        }
        self.notes.extend(junk.told(&file));
        Ok(())
    }

    /// Adds a note's checkpoint; `None` if it is none, or is not signed.
    fn add(&mut self, note: &Note, file: &Arc<Path>, key: &HostKey) -> Option<()> {
        let text = std::str::from_utf8(&note.bytes).ok()?;
        let (origin, _) = text.split_once('\n')?;
        let (host, log) = host_of(origin)?;
        if host != key.digits() {
            Checkpoint::glance(text)?;
            self.others.insert(host.to_owned());
            return Some(());
        }
        let verifier = key.verifier(log)?;
        // Others may have signed it too.
        let checkpoint = Checkpoint::open(text, &[&verifier]).ok()?;
        let roots = self.logs.entry(checkpoint.origin).or_default();
        let same_size = roots.entry(checkpoint.size).or_default();
        if same_size.iter().all(|one| one.root != checkpoint.root) {
            same_size.push(Signed {
                root: checkpoint.root,
                file: file.clone(),
                offset: note.offset,
                is_anchored: true,
            });
        }
        Some(())
    }
}

/// A note, as far as it was read.
#[derive(Debug, Default)]
struct Note {
    bytes: Vec<u8>,
    /// Where it begins in the file.
    offset: u64,
    /// Whether the lines that follow are signatures.
    has_text: bool,
}

impl Note {
    fn at(offset: u64) -> Self {
        Self {
            offset,
            ..Self::default()
        }
    }

    fn push(&mut self, line: &[u8]) {
        self.has_text |= line == b"\n";
        self.bytes.extend_from_slice(line);
    }

    /// Whether the line is no more of it.
    fn is_over(&self, line: &[u8]) -> bool {
        let is_signature = line.starts_with(SIGNED.as_bytes());
        let bytes = (self.bytes.len() + line.len()) as u64;
        self.has_text && !is_signature || bytes > MOST_BYTES
    }
}

/// What is no checkpoint in a file.
#[derive(Debug, Default)]
struct Junk {
    first: Option<u64>,
    bytes: u64,
}

impl Junk {
    fn add(&mut self, at: u64, bytes: u64) {
        self.first.get_or_insert(at);
        self.bytes += bytes;
    }

    fn told(&self, file: &Path) -> Option<String> {
        let (first, bytes, file) = (self.first?, self.bytes, file.display());
        Some(format!(
            "{bytes} bytes of {file}, from byte {first} on, are no checkpoint, as a write that failed leaves them"
        ))
    }
}
