//! Checkpoints: what is signed of a log at some size. Source: C2SP, *tlog-checkpoint* (c2sp.org/tlog-checkpoint).
//!
//! Three lines of text, the origin, the size and the root, in a signed note. This host writes no extension lines and one
//! signature, so that each of its checkpoints has five lines and one spelling.

use crate::merkle::{Frontier, Hash};
use crate::note::{self, NoteError, NoteSigner, VerifierKey};
use std::fmt;

/// The lines of one of this host's checkpoints: three of text, an empty one, and the signature.
const LINES: usize = 5;

/// The state of a log at some size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: String,
    /// How many records there are.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
}

impl Checkpoint {
    /// That of a log whose tree is known.
    pub fn of(origin: &str, tree: &Frontier) -> Self {
        Self {
            origin: origin.to_owned(),
            size: tree.size(),
            root: tree.root(),
        }
    }

    /// Reads the text of a note. Extension lines are skipped.
    pub fn read(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
        let number: u64 = size.parse().ok()?;
        let is_written = number.to_string() == size && !origin.is_empty();
        let checkpoint = Self {
            origin: origin.to_owned(),
            size: number,
            root: root.parse().ok()?,
        };
        (is_written && lines.all(|line| !line.is_empty())).then_some(checkpoint)
    }

    /// What a note says that nobody has verified.
    pub(crate) fn glance(note: &str) -> Option<Self> {
        Self::read(&note[..=note.find("\n\n")?])
    }

    /// Reads a note that one of the keys signed.
    ///
    /// # Errors
    /// It is no such note, or is none of a checkpoint.
    pub fn open(note: &str, keys: &[&VerifierKey]) -> Result<Self, NoteError> {
        let text = note::open(note, keys)?;
        Self::read(text).ok_or(NoteError::Malformed)
    }

    /// Reads a note that this host wrote of the log whose key that is, and accepts no other spelling of it.
    ///
    /// # Errors
    /// It is not that.
    pub fn open_own(note: &str, key: &VerifierKey) -> Result<Self, NoteError> {
        let checkpoint = Self::open(note, &[key])?;
        let is_own = checkpoint.origin == key.name() && note.lines().count() == LINES;
        is_own.then_some(checkpoint).ok_or(NoteError::Malformed)
    }

    /// The note.
    pub fn sign(&self, signer: &NoteSigner) -> String {
        signer.sign(&self.to_string())
    }
}

impl fmt::Display for Checkpoint {
    /// The text of the note.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, self.root)
    }
}

/// The notes of a file that only this host appends to, each with its place in bytes. What is left of the last, where that was
/// cut off, comes as it is.
pub fn notes(file: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = file.get(at..).filter(|rest| !rest.is_empty())?;
        let ends = rest.match_indices('\n').nth(LINES - 1);
        let end = ends.map_or(rest.len(), |(end, _)| end + 1);
        let note = (at, &rest[..end]);
        at += end;
        Some(note)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::SigningKey;

    fn signer() -> NoteSigner {
        NoteSigner::new("hotcell/log", SigningKey::from_bytes(&[7; 32])).unwrap()
    }

    #[test]
    fn a_checkpoint_is_read_as_it_was_written() {
        let checkpoint = Checkpoint::of("hotcell/log", &Frontier::default());
        let note = checkpoint.sign(&signer());
        assert_eq!(
            Checkpoint::open_own(&note, signer().verifier()),
            Ok(checkpoint)
        );
    }

    #[test]
    fn the_text_of_the_specifications_example_is_read() {
        let text =
            "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
        let checkpoint = Checkpoint::read(text).unwrap();
        assert_eq!(checkpoint.size, 20_852_163);
        assert_eq!(checkpoint.to_string(), text);
        for wrong in ["example.com\n02\n", "\n2\n", "a\n+2\n"] {
            let root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
            assert_eq!(Checkpoint::read(&format!("{wrong}{root}")), None, "{wrong}");
        }
    }

    #[test]
    fn checkpoints_in_a_file_are_told_apart_and_a_torn_one_is_seen() {
        let note = Checkpoint::of("hotcell/log", &Frontier::default()).sign(&signer());
        let file = format!("{note}{note}{}", &note[..20]);
        let found: Vec<_> = notes(&file).collect();
        let expected = [
            (0, &*note),
            (note.len(), &*note),
            (2 * note.len(), &note[..20]),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn another_signature_beside_the_logs_is_no_own_checkpoint() {
        let note = Checkpoint::of("hotcell/log", &Frontier::default()).sign(&signer());
        let other = NoteSigner::new("other", SigningKey::from_bytes(&[8; 32])).unwrap();
        let other = other.sign("x\n");
        let both = note.clone() + other.rsplit_once("\n\n").unwrap().1;
        assert!(Checkpoint::open(&both, &[signer().verifier()]).is_ok());
        assert!(Checkpoint::open_own(&both, signer().verifier()).is_err());
    }
}
