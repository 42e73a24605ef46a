//! Where an array lies: the `@…` notation of inputs and outputs.
//!
//! The notation decides the format by the end of the name alone, so that the same argument always means the
//! same thing, whatever a file contains.

use std::fmt;
use std::path::{Path, PathBuf};

/// The longest member name of an archive, in bytes.
const MAX_MEMBER_BYTES: usize = 255;

/// The widest zero-padded number in a frame pattern, in digits.
const MAX_FRAME_DIGITS: usize = 9;

/// Where an array is read from or written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Locator {
    /// `@FILE.npy`: one array.
    Npy(PathBuf),
    /// `@FILE.npz:MEMBER`: one array of an archive.
    NpzMember {
        /// The archive.
        path: PathBuf,
        /// The member's name, without `.npy`.
        member: String,
    },
    /// `@FILE.png`: one picture.
    Png(PathBuf),
    /// `@FILE.apng`: an animation; outputs only.
    Apng(PathBuf),
    /// `@x-{:04}.png`: one picture a frame, numbered from 0; outputs only.
    Frames(FramePattern),
}

/// The names of numbered frames: `{}` or `{:0N}` in a file name stands for the frame's number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FramePattern {
    directory: PathBuf,
    prefix: String,
    digits: usize,
    suffix: String,
}

/// Why a text is no locator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LocatorError {
    /// The text does not start with `@`.
    #[error("`{0}` is not a file: write @FILE, for instance @x.npy")]
    NoAt(String),
    /// The ending is none that this crate knows.
    #[error(
        "`{0}` has no known ending: use .npy, .npz:MEMBER, .png, or for outputs .apng and x-{{:04}}.png"
    )]
    UnknownEnding(String),
    /// An archive without a member.
    #[error("`{0}` names an archive but no array in it: write {0}:MEMBER")]
    NoMember(String),
    /// A member name that no archive should hold.
    #[error(
        "`{0}` is no usable member name: 1 to {MAX_MEMBER_BYTES} bytes, relative, without `..`, `\\` or control characters"
    )]
    BadMember(String),
    /// A frame pattern with other fields than one `{}` or `{:0N}`.
    #[error(
        "`{0}` is no frame pattern: use exactly one {{}} or {{:0N}} with N from 1 to {MAX_FRAME_DIGITS}, in the file name"
    )]
    BadPattern(String),
}

impl Locator {
    /// Reads the `@…` notation.
    ///
    /// `.npz:` separates an archive from its member wherever it first occurs; a member's trailing `.npy` is
    /// dropped. Endings match in either case.
    ///
    /// # Errors
    ///
    /// [`LocatorError`] says which of the forms is nearest and what is missing.
    pub fn parse(text: &str) -> Result<Self, LocatorError> {
        let name = text
            .strip_prefix('@')
            .filter(|name| !name.is_empty())
            .ok_or_else(|| LocatorError::NoAt(text.to_owned()))?;
        let lower = name.to_ascii_lowercase();
        if let Some(at) = lower.find(".npz:") {
            let (archive, member) = name.split_at(at + ".npz".len());
            return Self::npz_member(archive, &member[1..]);
        }
        let path = PathBuf::from(name);
        match lower.rsplit_once('.').map(|(_, ending)| ending) {
            Some("npy") => Ok(Self::Npy(path)),
            Some("npz") => Err(LocatorError::NoMember(text.to_owned())),
            Some("apng") => Ok(Self::Apng(path)),
            Some("png") => match FramePattern::parse(&path, text)? {
                Some(pattern) => Ok(Self::Frames(pattern)),
                None => Ok(Self::Png(path)),
            },
            _ => Err(LocatorError::UnknownEnding(text.to_owned())),
        }
    }

    fn npz_member(archive: &str, member: &str) -> Result<Self, LocatorError> {
        let bare = member.strip_suffix(".npy").unwrap_or(member);
        let usable = !bare.is_empty()
            && bare.len() <= MAX_MEMBER_BYTES
            && !bare.starts_with('/')
            && !bare.contains('\\')
            && !bare.chars().any(char::is_control)
            && bare.split('/').all(|part| part != "..");
        if !usable {
            return Err(LocatorError::BadMember(member.escape_debug().to_string()));
        }
        Ok(Self::NpzMember {
            path: archive.into(),
            member: bare.to_owned(),
        })
    }

    /// The file on disk; `None` for numbered frames, which are many.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Npy(path) | Self::Png(path) | Self::Apng(path) => Some(path),
            Self::NpzMember { path, .. } => Some(path),
            Self::Frames(_) => None,
        }
    }
}

impl fmt::Display for Locator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Npy(path) | Self::Png(path) | Self::Apng(path) => {
                write!(f, "@{}", path.display())
            }
            Self::NpzMember { path, member } => write!(f, "@{}:{member}", path.display()),
            Self::Frames(pattern) => write!(f, "@{pattern}"),
        }
    }
}

impl FramePattern {
    /// `Ok(None)` when the file name has no field at all.
    fn parse(path: &Path, text: &str) -> Result<Option<Self>, LocatorError> {
        let bad = || LocatorError::BadPattern(text.to_owned());
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| LocatorError::UnknownEnding(text.to_owned()))?;
        let Some((prefix, rest)) = name.split_once('{') else {
            return Ok(None);
        };
        let (field, suffix) = rest.split_once('}').ok_or_else(bad)?;
        if suffix.contains('{') || prefix.contains('}') || suffix.contains('}') {
            return Err(bad());
        }
        Ok(Some(Self {
            directory: path.parent().unwrap_or(Path::new("")).to_owned(),
            prefix: prefix.to_owned(),
            digits: field_digits(field).ok_or_else(bad)?,
            suffix: suffix.to_owned(),
        }))
    }

    /// The directory that holds the frames; empty for the current one.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The file name of one frame, without its directory.
    pub fn file_name(&self, frame: u32) -> String {
        let Self {
            prefix,
            digits,
            suffix,
            ..
        } = self;
        format!("{prefix}{frame:0digits$}{suffix}")
    }

    /// Whether that is the file name of a frame.
    pub fn has(&self, file_name: &str) -> bool {
        let number = file_name
            .strip_prefix(&self.prefix)
            .and_then(|rest| rest.strip_suffix(&self.suffix));
        let number = number.and_then(|number| number.parse().ok());
        number.is_some_and(|number| self.file_name(number) == file_name)
    }
}

impl fmt::Display for FramePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = match self.digits {
            0 => "{}".to_owned(),
            digits => format!("{{:0{digits}}}"),
        };
        let name = format!("{}{field}{}", self.prefix, self.suffix);
        self.directory.join(name).display().fmt(f)
    }
}

/// `""` is 0 digits (no padding), `":0N"` is N.
fn field_digits(field: &str) -> Option<usize> {
    if field.is_empty() {
        return Some(0);
    }
    let digits = field.strip_prefix(":0")?;
    let plain = digits.len() == 1 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let digits = digits.parse().ok().filter(|_| plain)?;
    (1..=MAX_FRAME_DIGITS).contains(&digits).then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether an error is the one that a table expects.
    type Expected = fn(&LocatorError) -> bool;

    #[test]
    fn every_form_parses_and_prints_back() {
        for text in [
            "@x.npy",
            "@dir.d/x.NPY",
            "@a.npz:w",
            "@a.npz:layer/0/w",
            "@p.png",
            "@x.apng",
            "@out/x-{:04}.png",
            "@x{}.png",
        ] {
            assert_eq!(Locator::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_member_may_be_named_with_or_without_its_ending() {
        let with = Locator::parse("@a.npz:w.npy").unwrap();
        assert_eq!(with, Locator::parse("@a.npz:w").unwrap());
        assert_eq!(with.path(), Some(Path::new("a.npz")));
    }

    #[test]
    fn frames_are_numbered_with_the_asked_padding() {
        let Locator::Frames(padded) = Locator::parse("@d/x-{:04}.png").unwrap() else {
            panic!("not frames");
        };
        assert_eq!(padded.directory(), Path::new("d"));
        assert_eq!(padded.file_name(7), "x-0007.png");
        assert_eq!(padded.file_name(12345), "x-12345.png");
        let Locator::Frames(plain) = Locator::parse("@x{}.png").unwrap() else {
            panic!("not frames");
        };
        assert_eq!(plain.file_name(7), "x7.png");
    }

    #[test]
    fn what_is_no_locator_is_refused_with_the_nearest_form() {
        use LocatorError as E;
        let table: [(&str, Expected); 15] = [
            ("x.npy", |e| matches!(e, E::NoAt(_))),
            ("", |e| matches!(e, E::NoAt(_))),
            ("@", |e| matches!(e, E::NoAt(_))),
            ("@x", |e| matches!(e, E::UnknownEnding(_))),
            ("@x.npy/", |e| matches!(e, E::UnknownEnding(_))),
            ("@x.jpg", |e| matches!(e, E::UnknownEnding(_))),
            ("@x.npz", |e| matches!(e, E::NoMember(_))),
            ("@x.npz:", |e| matches!(e, E::BadMember(_))),
            ("@x.npz:/etc/w", |e| matches!(e, E::BadMember(_))),
            ("@x.npz:a/../b", |e| matches!(e, E::BadMember(_))),
            ("@x.npz:a\nb", |e| matches!(e, E::BadMember(_))),
            ("@x{:4}.png", |e| matches!(e, E::BadPattern(_))),
            ("@x{:00}.png", |e| matches!(e, E::BadPattern(_))),
            ("@x{}{}.png", |e| matches!(e, E::BadPattern(_))),
            ("@x{:0999999999999}.png", |e| matches!(e, E::BadPattern(_))),
        ];
        for (text, expected) in table {
            let error = Locator::parse(text).unwrap_err();
            assert!(expected(&error), "{text}: {error:?}");
        }
    }
}
