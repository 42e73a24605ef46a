//! How a launch ends that a kernel did not finish: what is known of it, and in words.

use crate::words::Words;
use std::fmt;

/// How a kernel declines a launch; the WIT's `kernel-error`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LaunchError {
    /// There is no entry of that name.
    UnknownEntry(String),
    /// An argument is not what the entry needs.
    BadArgument {
        /// The parameter's or dimension's name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The kernel ran and failed, in its own words.
    Failed(String),
}

impl fmt::Display for LaunchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownEntry(name) => write!(f, "no entry `{name}`"),
            Self::BadArgument { name, reason } => write!(f, "argument `{name}`: {reason}"),
            Self::Failed(message) => write!(f, "the kernel failed: {message}"),
        }
    }
}

impl std::error::Error for LaunchError {}

/// A [`LaunchError`] before it is put into words. It goes in a box, so that what may be refused stays small.
#[cfg_attr(test, derive(Debug))]
pub(crate) enum Refusal<'a> {
    /// There is no entry of that name.
    UnknownEntry(&'a str),
    /// An argument is not what the entry needs.
    BadArgument(&'a str, Reason),
    /// The kernel ran and failed, in its own words.
    Failed(String),
}

/// What is wrong with an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// This.
    Fixed(&'static str),
    /// A dimension has more elements than can be counted.
    Extent(u64),
    /// A scalar has another type.
    Scalar {
        given: &'static str,
        wanted: &'static str,
    },
    /// An array is longer or shorter than its shape.
    Size {
        given_bytes: u64,
        elements: u64,
        dtype: &'static str,
    },
    /// A byte is no `bool`.
    Bool { at: u64, byte: u8 },
    /// There are more or fewer values than parameters.
    Count { given: u64, wanted: u64 },
    /// A slice has other elements.
    Elements {
        given: &'static str,
        wanted: &'static str,
    },
}

/// Room for any reason in words.
pub(crate) const REASON_BYTES: usize = 128;

impl Reason {
    /// The reason as a lower-case fragment.
    pub(crate) fn put(self, words: &mut Words<'_>) {
        match self {
            Self::Fixed(text) => words.text(text),
            Self::Extent(extent) => words
                .text("an extent of ")
                .number(extent)
                .text(" does not fit this machine's integers"),
            Self::Scalar { given, wanted } => words
                .text("a value of type ")
                .text(given)
                .text(", but it is ")
                .text(wanted),
            Self::Size {
                given_bytes,
                elements,
                dtype,
            } => words
                .number(given_bytes)
                .text(" bytes, but ")
                .number(elements)
                .text(" elements of ")
                .text(dtype)
                .text(" are expected"),
            Self::Bool { at, byte } => words
                .text("byte ")
                .number(at)
                .text(" is ")
                .number(byte.into())
                .text(", not 0 or 1"),
            Self::Count { given, wanted } => words
                .number(given)
                .text(" given, but the entry has ")
                .number(wanted),
            Self::Elements { given, wanted } => words
                .text("an array of ")
                .text(given)
                .text(", but it is one of ")
                .text(wanted),
        };
    }
}

impl<'a> Refusal<'a> {
    /// An argument that is wrong in a way that needs no numbers.
    #[cold]
    #[inline(never)]
    pub(crate) fn fixed(name: &'a str, reason: &'static str) -> Box<Self> {
        Self::bad_argument(name, Reason::Fixed(reason))
    }

    /// An argument that is wrong.
    #[cold]
    #[inline(never)]
    pub(crate) fn bad_argument(name: &'a str, reason: Reason) -> Box<Self> {
        Box::new(Self::BadArgument(name, reason))
    }
}

impl From<Box<Refusal<'_>>> for LaunchError {
    fn from(refusal: Box<Refusal<'_>>) -> Self {
        match *refusal {
            Refusal::UnknownEntry(name) => Self::UnknownEntry(name.to_owned()),
            Refusal::BadArgument(name, reason) => Self::BadArgument {
                name: name.to_owned(),
                reason: {
                    let mut room = [0; REASON_BYTES];
                    let mut words = Words::new(&mut room);
                    reason.put(&mut words);
                    words.into_str().to_owned()
                },
            },
            Refusal::Failed(message) => Self::Failed(message),
        }
    }
}
