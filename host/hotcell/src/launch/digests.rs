//! Digests of arrays, made in pieces under a deadline and a stop signal: to hash is work of the host's that a guest
//! can make large without doing any of its own.

use hotcell_model::digest::Digest;
use hotcell_model::job::Source;
use hotcell_model::limit::{Amount, Breach, Limit, Limits, Unit};
use hotcell_model::outcome::{Blame, Outcome};
use hotcell_model::stop::StopSignal;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::time::{Duration, Instant};

/// Hashed at once: some milliseconds.
const PIECE_BYTES: usize = 4 << 20;
/// Read from a file at once.
const READ_BYTES: usize = 1 << 20;
/// What holes are hashed from.
static ZEROS: [u8; 256 << 10] = [0; 256 << 10];

/// The time that the host's own work for a launch may take, and what ends it sooner.
pub(crate) struct Clock<'a> {
    started: Instant,
    deadline: Instant,
    stop: &'a StopSignal,
}

/// Why work of the host's was given up.
#[derive(Debug)]
pub(crate) enum Unfinished {
    /// The deadline passed.
    Late,
    /// The launch was cancelled.
    Cancelled,
    /// A file cannot be read.
    Io(io::Error),
}

impl<'a> Clock<'a> {
    /// A clock that runs out after `time`.
    pub(crate) fn of(time: Duration, stop: &'a StopSignal) -> Self {
        let started = Instant::now();
        Self {
            started,
            deadline: started + time,
            stop,
        }
    }

    /// How long it has run.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Whether the work may go on.
    pub(crate) fn check(&self) -> Result<(), Unfinished> {
        match self.stop.cancelled_at() {
            Some(_) => Err(Unfinished::Cancelled),
            None if Instant::now() >= self.deadline => Err(Unfinished::Late),
            None => Ok(()),
        }
    }
}

/// Hashes arrays, and counts what it has hashed.
pub(crate) struct Hashing<'a> {
    pub(crate) clock: &'a Clock<'a>,
    /// Bytes so far.
    hashed: u64,
}

impl<'a> Hashing<'a> {
    pub(crate) fn new(clock: &'a Clock<'a>) -> Self {
        Self { clock, hashed: 0 }
    }

    /// The BLAKE3 digest of an array's bytes.
    pub(crate) fn digest(&mut self, source: &Source) -> Result<Digest, Unfinished> {
        let mut hasher = blake3::Hasher::new();
        match source {
            Source::Memory(bytes) => self.hash(&mut hasher, bytes)?,
            Source::Sealed { file, bytes } => self.hash_sealed(&mut hasher, file, bytes)?,
            Source::File {
                file,
                offset_bytes,
                len_bytes,
            } => self.hash_file(&mut hasher, file, *offset_bytes, *len_bytes)?,
        }
        Ok(Digest::from_bytes(*hasher.finalize().as_bytes()))
    }

    fn hash(&mut self, hasher: &mut blake3::Hasher, bytes: &[u8]) -> Result<(), Unfinished> {
        for piece in bytes.chunks(PIECE_BYTES) {
            self.clock.check()?;
            hasher.update(piece);
            self.hashed += piece.len() as u64;
        }
        Ok(())
    }

    /// Shared memory has holes where nobody wrote. To look at one would give it pages.
    fn hash_sealed(
        &mut self,
        hasher: &mut blake3::Hasher,
        file: &File,
        bytes: &[u8],
    ) -> Result<(), Unfinished> {
        let mut at = 0;
        while at < bytes.len() {
            let data = next_data(file, at, bytes.len());
            self.hash_zeros(hasher, data.start - at)?;
            self.hash(hasher, &bytes[data.clone()])?;
            at = data.end;
        }
        Ok(())
    }

    fn hash_zeros(
        &mut self,
        hasher: &mut blake3::Hasher,
        mut len: usize,
    ) -> Result<(), Unfinished> {
        while len > 0 {
            self.clock.check()?;
            let piece = len.min(PIECE_BYTES);
            for start in (0..piece).step_by(ZEROS.len()) {
                hasher.update(&ZEROS[..ZEROS.len().min(piece - start)]);
            }
            self.hashed += piece as u64;
            len -= piece;
        }
        Ok(())
    }

    fn hash_file(
        &mut self,
        hasher: &mut blake3::Hasher,
        file: &File,
        mut offset: u64,
        len: u64,
    ) -> Result<(), Unfinished> {
        let mut buffer = vec![0; READ_BYTES];
        let end = offset.saturating_add(len);
        while offset < end {
            self.clock.check()?;
            let want =
                usize::try_from(end - offset).map_or(READ_BYTES, |left| left.min(READ_BYTES));
            file.read_exact_at(&mut buffer[..want], offset)
                .map_err(Unfinished::Io)?;
            hasher.update(&buffer[..want]);
            self.hashed += want as u64;
            offset += want as u64;
        }
        Ok(())
    }

    /// How a launch ends whose outputs could not all be hashed: by the guest's doing if it wrote less than half of
    /// what it has the host look at.
    pub(crate) fn unfinished(
        &self,
        unfinished: &Unfinished,
        limits: &Limits,
        (written, total): (u64, u64),
    ) -> Outcome {
        let bytes = |value| Unit::Bytes.format(value);
        let what = format!(
            "the outputs were hashed: {} of {}, of which the kernel wrote {}",
            bytes(self.hashed),
            bytes(total),
            bytes(written.min(total))
        );
        let blame = match written < total / 2 {
            true => Blame::Guest,
            false => Blame::Request,
        };
        late(unfinished, limits, &what, blame)
    }
}

/// How a launch ends whose host work was given up while `what`.
pub(crate) fn late(unfinished: &Unfinished, limits: &Limits, what: &str, blame: Blame) -> Outcome {
    match unfinished {
        Unfinished::Late => {
            let maximum = limits.get(Limit::Timeout);
            let breach = Breach {
                limit: Limit::Timeout,
                amount: Amount::Used(maximum),
                maximum,
            };
            let outcome = Outcome::breached(breach);
            Outcome {
                message: format!("{}; it passed while {what}", outcome.message),
                blame: Some(blame),
                ..outcome
            }
        }
        Unfinished::Cancelled => crate::isolation::cancelled(what),
        Unfinished::Io(error) => Outcome {
            reproducible: false,
            ..Outcome::failed(
                hotcell_model::outcome::OutcomeKind::Io,
                Blame::Request,
                format!("a file could not be read while {what}: {error}"),
            )
        },
    }
}

/// The next range of a memory file from `at` on that has data, empty at `len` if there is none; all of the rest
/// where the operating system does not say.
fn next_data(file: &File, at: usize, len: usize) -> Range<usize> {
    use rustix::fs::{SeekFrom, seek};
    use rustix::io::Errno;
    let position =
        |from| seek(file, from).map(|found| usize::try_from(found).unwrap_or(len).min(len));
    let start = match position(SeekFrom::Data(at as u64)) {
        Ok(start) => start.max(at),
        Err(Errno::NXIO) => return len..len,
        Err(_) => return at..len,
    };
    let end = position(SeekFrom::Hole(start as u64)).unwrap_or(len);
    // Somebody who moves things meanwhile gets no endless loop.
    start..end.max((start + 1).min(len))
}

/// What tells whether a file was written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileState {
    modified: (i64, i64),
    changed: (i64, i64),
    len: u64,
}

impl FileState {
    /// The state of a source's file; `None` for memory, which nobody changes.
    pub(crate) fn of(source: &Source) -> Option<io::Result<Self>> {
        let Source::File { file, .. } = source else {
            return None;
        };
        let state = |found: std::fs::Metadata| Self {
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
            len: found.len(),
        };
        Some(file.metadata().map(state))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use hotcell_model::outcome::OutcomeKind;
    use std::io::Write;
    use std::sync::Arc;

    fn digest_of(source: &Source) -> Digest {
        let stop = StopSignal::default();
        let clock = Clock::of(Duration::from_secs(60), &stop);
        Hashing::new(&clock).digest(source).unwrap()
    }

    fn expected(bytes: &[u8]) -> Digest {
        Digest::from_bytes(*blake3::hash(bytes).as_bytes())
    }

    #[test]
    fn every_kind_of_source_has_the_digest_of_its_bytes() {
        let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(PIECE_BYTES + 12345).collect();
        let memory = Source::Memory(Bytes::from(bytes.clone()));
        assert_eq!(digest_of(&memory), expected(&bytes));
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        let range = Source::File {
            file: Arc::new(file),
            offset_bytes: 5,
            len_bytes: bytes.len() as u64 - 5,
        };
        assert_eq!(digest_of(&range), expected(&bytes[5..]));
    }

    #[cfg(feature = "confined")]
    #[test]
    fn holes_are_hashed_as_zeros_and_get_no_pages() {
        use hotcell_sandbox::memory::SealedMemory;
        let len = 64 << 20;
        let memory = SealedMemory::fill(len, |bytes| {
            bytes[20 << 20] = 7;
            bytes[bytes.len() - 1] = 9;
            Ok(())
        });
        let source = crate::sealed::source(memory.unwrap()).unwrap();
        let Source::Sealed { file, .. } = &source else {
            panic!("sealed memory makes a sealed source");
        };
        let resident = || file.metadata().unwrap().blocks() * 512;
        let before = resident();
        let mut bytes = vec![0; 64 << 20];
        bytes[20 << 20] = 7;
        bytes[(64 << 20) - 1] = 9;
        assert_eq!(digest_of(&source), expected(&bytes));
        assert!(
            before <= 8 << 20 && resident() == before,
            "{before}, {}",
            resident()
        );
    }

    #[test]
    fn a_deadline_and_a_cancel_end_the_work_with_words_and_blame() {
        let stop = StopSignal::default();
        let over = Clock::of(Duration::ZERO, &stop);
        let source = Source::Memory(Bytes::from(vec![1; 8]));
        let mut hashing = Hashing::new(&over);
        let late = hashing.digest(&source).unwrap_err();
        assert!(matches!(late, Unfinished::Late));
        let limits = Limits::defaults(Default::default());
        for (written, blame) in [(8, Blame::Request), (4, Blame::Request), (3, Blame::Guest)] {
            let outcome = hashing.unfinished(&late, &limits, (written, 8));
            assert_eq!(outcome.kind, OutcomeKind::Timeout);
            assert_eq!(outcome.blame, Some(blame));
        }
        stop.cancel();
        let going = Clock::of(Duration::from_secs(60), &stop);
        let cancelled = Hashing::new(&going).digest(&source).unwrap_err();
        assert!(matches!(cancelled, Unfinished::Cancelled));
    }
}
