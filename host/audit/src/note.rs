//! Signed notes: text with signatures by named keys. Source: C2SP, *signed-note* (c2sp.org/signed-note).
//!
//! Of what the specification knows, Ed25519 keys (type `0x01`) sign, and those of witnesses (type `0x04`) are also read.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// The most that a note has of bytes: sixteen signatures, of which each can be one of a post-quantum scheme.
pub const MOST_BYTES: u64 = 128 << 10;

/// What a line with a signature begins with.
pub(crate) const SIGNED: &str = "\u{2014} ";

/// What a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// Text as it is.
    Note,
    /// That a witness saw a checkpoint, and when: c2sp.org/tlog-cosignature.
    Witness,
}

impl KeyKind {
    const fn byte(self) -> u8 {
        match self {
            Self::Note => 1,
            Self::Witness => 4,
        }
    }
}

/// The public half of a key and its name: `NAME+HASH+KEY` in text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    kind: KeyKind,
    key: VerifyingKey,
}

/// A text that is no verifier key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no verifier key of a signed note: one is NAME+HASH+KEY, as `hotcell audit key` prints it")]
pub struct NotAVerifierKey;

impl VerifierKey {
    /// A key of that name; `None` for a name that cannot stand in a note.
    pub fn new(name: &str, key: VerifyingKey) -> Option<Self> {
        let fits = |character: char| {
            !character.is_whitespace() && !character.is_control() && character != '+'
        };
        (!name.is_empty() && name.chars().all(fits)).then(|| Self {
            name: name.to_owned(),
            kind: KeyKind::Note,
            key,
        })
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key.
    pub fn key(&self) -> &VerifyingKey {
        &self.key
    }

    /// The number by which signatures say whose they are.
    pub fn id(&self) -> [u8; 4] {
        let hash = Sha256::new()
            .chain_update(&self.name)
            .chain_update([b'\n', self.kind.byte()])
            .chain_update(self.key.as_bytes())
            .finalize();
        let mut id = [0; 4];
        id.copy_from_slice(&hash[..4]);
        id
    }

    /// Whether a signature is of that text. Of a witness, `signature` has the time as well.
    pub fn verifies(&self, text: &str, signature: &[u8]) -> bool {
        let (message, signature) = match self.kind {
            KeyKind::Note => (text.to_owned(), signature),
            KeyKind::Witness => match signature.split_first_chunk::<8>() {
                Some((time, signature)) => {
                    let time = u64::from_be_bytes(*time);
                    (format!("cosignature/v1\ntime {time}\n{text}"), signature)
                }
                None => return false,
            },
        };
        Signature::from_slice(signature).is_ok_and(|signature| {
            let verified = self.key.verify_strict(message.as_bytes(), &signature);
            verified.is_ok()
        })
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![self.kind.byte()];
        bytes.extend(self.key.as_bytes());
        let id = u32::from_be_bytes(self.id());
        write!(f, "{}+{id:08x}+{}", self.name, STANDARD.encode(bytes))
    }
}

impl FromStr for VerifierKey {
    type Err = NotAVerifierKey;

    fn from_str(text: &str) -> Result<Self, NotAVerifierKey> {
        let mut parts = text.splitn(3, '+');
        let mut part = || parts.next().ok_or(NotAVerifierKey);
        let (name, id, key) = (part()?, part()?, part()?);
        let bytes = STANDARD.decode(key).map_err(|_| NotAVerifierKey)?;
        let (kind, bytes) = bytes.split_first().ok_or(NotAVerifierKey)?;
        let kind = [KeyKind::Note, KeyKind::Witness]
            .into_iter()
            .find(|known| known.byte() == *kind)
            .ok_or(NotAVerifierKey)?;
        let bytes = bytes.try_into().map_err(|_| NotAVerifierKey)?;
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| NotAVerifierKey)?;
        let key = Self {
            kind,
            ..Self::new(name, key).ok_or(NotAVerifierKey)?
        };
        let is_its = format!("{:08x}", u32::from_be_bytes(key.id())) == id;
        is_its.then_some(key).ok_or(NotAVerifierKey)
    }
}

/// A key that signs, with its name.
pub struct NoteSigner {
    verifier: VerifierKey,
    key: SigningKey,
}

impl fmt::Debug for NoteSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.verifier.fmt(f)
    }
}

impl NoteSigner {
    /// A key of that name; `None` for a name that cannot stand in a note.
    pub fn new(name: &str, key: SigningKey) -> Option<Self> {
        let verifier = VerifierKey::new(name, key.verifying_key())?;
        Some(Self { verifier, key })
    }

    /// Its public half.
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// Signs a text, which ends in a newline.
    pub fn sign(&self, text: &str) -> String {
        let mut signature = self.verifier.id().to_vec();
        signature.extend(self.key.sign(text.as_bytes()).to_bytes());
        let (name, signature) = (&self.verifier.name, STANDARD.encode(signature));
        format!("{text}\n{SIGNED}{name} {signature}\n")
    }
}

/// Why a note is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It is not written as notes are.
    #[error("not written as a signed note")]
    Malformed,
    /// No signature is by a key that is known.
    #[error("signed by no known key")]
    Unsigned,
    /// A signature by a known key is not of this text.
    #[error("a signature that is not of this text")]
    Forged,
}

/// The text of a note, and whether one of the keys signed it.
///
/// # Errors
/// It is no note, none of the keys signed it, or a signature by one of them is wrong.
pub fn open<'a>(note: &'a str, keys: &[&VerifierKey]) -> Result<&'a str, NoteError> {
    let (text, signatures) = split(note)?;
    let mut is_signed = false;
    for line in signatures.lines() {
        let (name, id, signature) = signature(line)?;
        for key in keys.iter().filter(|key| key.name == name && key.id() == id) {
            if !key.verifies(text, &signature) {
                return Err(NoteError::Forged);
            }
            is_signed = true;
        }
    }
    is_signed.then_some(text).ok_or(NoteError::Unsigned)
}

/// Text and signatures: they are parted by the last empty line.
fn split(note: &str) -> Result<(&str, &str), NoteError> {
    let is_written = note.ends_with('\n') && !note.chars().any(|one| one < ' ' && one != '\n');
    let at = note.rfind("\n\n").filter(|_| is_written);
    let at = at.ok_or(NoteError::Malformed)?;
    let (text, signatures) = (&note[..=at], &note[at + 2..]);
    match signatures.is_empty() {
        true => Err(NoteError::Malformed),
        false => Ok((text, signatures)),
    }
}

fn signature(line: &str) -> Result<(&str, [u8; 4], Vec<u8>), NoteError> {
    let parts = line
        .strip_prefix(SIGNED)
        .and_then(|line| line.split_once(' '));
    let (name, encoded) = parts.ok_or(NoteError::Malformed)?;
    let bytes = STANDARD.decode(encoded).map_err(|_| NoteError::Malformed)?;
    let (id, signature) = bytes.split_first_chunk().ok_or(NoteError::Malformed)?;
    Ok((name, *id, signature.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key and the note by which Go's `golang.org/x/mod/sumdb/note` tests itself.
    const NEUMANN: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const TEXT: &str = "If you think cryptography is the answer to your problem,\n\
                        then you don't know what your problem is.\n";
    const SIGNATURE: &str = "\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

    #[test]
    fn the_published_note_is_read() {
        let key: VerifierKey = NEUMANN.parse().unwrap();
        assert_eq!(key.to_string(), NEUMANN);
        let note = format!("{TEXT}\n{SIGNATURE}");
        assert_eq!(open(&note, &[&key]), Ok(TEXT));
        assert_eq!(open(&note, &[]), Err(NoteError::Unsigned));
        let other = note.replace("your problem is", "my problem is");
        assert_eq!(open(&other, &[&key]), Err(NoteError::Forged));
    }

    #[test]
    fn the_cosignature_of_the_specifications_example_has_its_form() {
        let signed = "\u{2014} witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==";
        let (name, _, signature) = signature(signed).unwrap();
        assert_eq!(name, "witness.example.com/w1");
        assert_eq!(signature.len(), 8 + 64);
        assert_eq!(signature[..8], 1_679_315_147_u64.to_be_bytes());
    }

    #[test]
    fn what_was_signed_is_read_and_every_change_of_it_refused() {
        let signer = NoteSigner::new("hotcell/log", SigningKey::from_bytes(&[7; 32])).unwrap();
        let note = signer.sign("hotcell/log\n12\n");
        let key: VerifierKey = signer.verifier().to_string().parse().unwrap();
        assert_eq!(open(&note, &[&key]), Ok("hotcell/log\n12\n"));
        for at in 0..note.len() {
            for bit in 0..8 {
                let mut bytes = note.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                let read = String::from_utf8(bytes).ok();
                let opened = read.as_deref().map(|note| open(note, &[&key]).is_ok());
                assert_ne!(opened, Some(true), "bit {bit} of byte {at}");
            }
        }
    }

    #[test]
    fn a_witness_signs_the_time_too() {
        let signing = SigningKey::from_bytes(&[9; 32]);
        let witness = VerifierKey {
            kind: KeyKind::Witness,
            ..VerifierKey::new("w", signing.verifying_key()).unwrap()
        };
        assert_eq!(witness.to_string().parse(), Ok(witness.clone()));
        let message = "cosignature/v1\ntime 5\nlog\n1\n";
        let mut signature = 5_u64.to_be_bytes().to_vec();
        signature.extend(signing.sign(message.as_bytes()).to_bytes());
        assert!(witness.verifies("log\n1\n", &signature));
        signature[7] = 6;
        assert!(!witness.verifies("log\n1\n", &signature));
        assert!(!witness.verifies("log\n1\n", &[]));
    }

    #[test]
    fn names_that_would_break_a_line_are_refused() {
        let key = SigningKey::from_bytes(&[7; 32]).verifying_key();
        for name in ["", "a b", "a+b", "a\nb", "a\u{2003}b"] {
            assert!(VerifierKey::new(name, key).is_none(), "{name:?}");
        }
        for text in [
            "",
            "a",
            "a+b+c",
            "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        ] {
            assert_eq!(text.parse::<VerifierKey>(), Err(NotAVerifierKey), "{text}");
        }
    }
}
