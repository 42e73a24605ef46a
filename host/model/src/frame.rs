//! Frames between the supervisor and its workers.
//!
//! A frame is one message of a sequenced-packet socket: a `postcard` value of at most [`MAX_BYTES`], with
//! descriptors beside it. What a worker says is a claim: types are not recursive, lengths are capped
//! before anything is allocated (`bounded`), what follows the value is an error, and nothing that arrives is unwrapped.
//! What is larger than a frame travels in memory that both sides map.

mod compiler;
mod gpu;
mod guarded;
mod runner;

pub use compiler::{CompileRequest, Described, FromCompiler, Phases, ToCompiler, WireDescription};
pub use gpu::{FromGpu, GpuRequest, ToGpu};
pub use guarded::{
    BeginRequest, BufferPlace, CallEnd, CallRequest, FromGuarded, GUARD_ARRAYS, GUARD_EXTENTS,
    GUARD_PATHS, Raised, RaisedKind, ReturnedArray, ToGuarded,
};
pub use runner::{
    Cancel, FromRunner, InputPlace, LaunchRequest, LoadRequest, LogPiece, OutputPlace, ToRunner,
};

use crate::bounded;
use crate::layer::{Layer, LayerReport, WorkerKind};
use serde::{Deserialize, Serialize};

/// The largest frame in bytes.
pub const MAX_BYTES: usize = 96 << 10;
/// The most descriptors beside a frame: the operating system's kernel passes 253.
pub const MAX_DESCRIPTORS: usize = 250;
/// The most bytes of arrays that travel inside a frame, each way.
pub const INLINE_BYTES: usize = 64 << 10;
/// The largest piece of a log line in one frame.
pub const LINE_BYTES: usize = 16 << 10;

/// What a build of hotcell is told apart by: supervisor and workers must have the same.
pub type BuildId = [u8; 16];

/// The first frame of every worker, sent before it has seen a hostile byte.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The build that the worker is of.
    pub build: BuildId,
    /// What it is.
    pub kind: WorkerKind,
    /// The layers it has put on so far.
    #[serde(deserialize_with = "bounded::list::<_, _, { Layer::ALL.len() }>")]
    pub layers: Vec<LayerReport>,
}

/// How the frame begins in which a worker that failed before its [`Hello`] says why. The first bytes of a greeting are
/// those of a build's hash.
const LAST_WORDS: &[u8] = b"hotcell worker failed: ";
/// The longest last words in bytes.
const LAST_WORDS_BYTES: usize = 2048;

/// The frame of a worker that failed before its [`Hello`].
pub fn last_words(why: &str) -> Vec<u8> {
    let why = &why[..why.floor_char_boundary(LAST_WORDS_BYTES)];
    [LAST_WORDS, why.as_bytes()].concat()
}

/// What a worker that failed before its [`Hello`] says; `None` for any other frame. It is not to be shown as it is.
pub fn read_last_words(frame: &[u8]) -> Option<&str> {
    let why = frame.strip_prefix(LAST_WORDS)?;
    std::str::from_utf8(&why[..why.len().min(LAST_WORDS_BYTES)]).ok()
}

/// A frame that is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// It is longer than a frame may be.
    #[error("a frame of {requested} bytes; at most {maximum} are allowed")]
    TooLong {
        /// Its length.
        requested: usize,
        /// [`MAX_BYTES`].
        maximum: usize,
    },
    /// Its bytes are no value of the expected type.
    #[error("a frame that is none: {0}")]
    Malformed(postcard::Error),
    /// There are bytes after the value.
    #[error("a frame with {0} bytes too many")]
    Trailing(usize),
}

/// Writes a frame into `buffer`, in place of what is there.
///
/// # Errors
/// The value takes more than [`MAX_BYTES`].
pub fn encode<T: Serialize>(value: &T, buffer: &mut Vec<u8>) -> Result<(), FrameError> {
    encode_long(value, buffer)?;
    check_len(buffer.len())
}

/// As [`encode`], for values in mapped memory: the reader caps their length.
///
/// # Errors
/// The value cannot be written as `postcard`.
pub fn encode_long<T: Serialize>(value: &T, buffer: &mut Vec<u8>) -> Result<(), FrameError> {
    buffer.clear();
    *buffer = postcard::to_extend(value, std::mem::take(buffer)).map_err(FrameError::Malformed)?;
    Ok(())
}

/// Reads a frame.
///
/// # Errors
/// The bytes are too many, no value of that type, or more than one.
pub fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, FrameError> {
    check_len(bytes.len())?;
    decode_long(bytes)
}

/// As [`decode`], for values in mapped memory: the caller has capped their length.
///
/// # Errors
/// The bytes are no value of that type, or more than one.
pub fn decode_long<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, FrameError> {
    let (value, rest) = postcard::take_from_bytes(bytes).map_err(FrameError::Malformed)?;
    match rest.len() {
        0 => Ok(value),
        more => Err(FrameError::Trailing(more)),
    }
}

fn check_len(requested: usize) -> Result<(), FrameError> {
    let maximum = MAX_BYTES;
    if requested > maximum {
        return Err(FrameError::TooLong { requested, maximum });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Outcome;
    use crate::probe::{Attempt, Probe};

    #[test]
    fn a_frame_crosses_and_a_mutilated_one_is_refused() {
        let mut buffer = Vec::new();
        let frame = ToRunner::Attempt(Attempt::Probe(Probe::Mount));
        encode(&frame, &mut buffer).unwrap();
        assert_eq!(decode::<ToRunner>(&buffer), Ok(frame));
        assert!(matches!(
            decode::<ToRunner>(&buffer[..1]),
            Err(FrameError::Malformed(_))
        ));
        buffer.push(0);
        assert_eq!(decode::<ToRunner>(&buffer), Err(FrameError::Trailing(1)));
    }

    #[test]
    fn last_words_are_told_from_a_greeting_and_are_short() {
        let frame = last_words("no memory");
        assert_eq!(read_last_words(&frame), Some("no memory"));
        let long = last_words(&"ä".repeat(MAX_BYTES));
        assert!(long.len() <= LAST_WORDS.len() + LAST_WORDS_BYTES);
        assert!(read_last_words(&long).is_some_and(|why| why.starts_with('ä')));
        let hello = Hello {
            build: [b'h'; 16],
            kind: WorkerKind::Runner,
            layers: Vec::new(),
        };
        let mut buffer = Vec::new();
        encode(&hello, &mut buffer).unwrap();
        assert_eq!(read_last_words(&buffer), None);
        assert_eq!(read_last_words(&[LAST_WORDS, &[0xff]].concat()), None);
    }

    #[test]
    fn a_long_frame_is_refused_before_it_is_read_and_before_it_is_sent() {
        let too_long = vec![0; MAX_BYTES + 1];
        assert!(matches!(
            decode::<ToRunner>(&too_long),
            Err(FrameError::TooLong { .. })
        ));
        let mut buffer = Vec::new();
        let frame = FromRunner::Log(LogPiece {
            id: 0,
            level: crate::report::LogLevel::Info,
            text: "x".repeat(MAX_BYTES),
            is_end: true,
        });
        assert!(matches!(
            encode(&frame, &mut buffer),
            Err(FrameError::TooLong { .. })
        ));
    }

    #[test]
    fn a_length_that_lies_allocates_nothing() {
        // A list that says it has 2^60 entries, and has none.
        let mut bytes = vec![1];
        bytes.extend([0xff; 8]);
        bytes.push(0x0f);
        assert!(decode::<Outcome>(&bytes).is_err());
        assert!(decode::<Vec<String>>(&bytes[1..]).is_err());
    }

    /// A frame in whose only list, which is empty in `value` and has `behind` bytes behind it, the smallest entry
    /// stands `entries` times, or as often as a frame has room for.
    fn stuffed<T: Serialize>(
        value: &T,
        entry: &[u8],
        behind: usize,
        entries: Option<usize>,
    ) -> Vec<u8> {
        let mut frame = Vec::new();
        encode(value, &mut frame).unwrap();
        let rest = frame.split_off(frame.len() - behind);
        assert_eq!(frame.pop(), Some(0), "the list was empty");
        let entries = entries.unwrap_or((MAX_BYTES - frame.len() - 3 - behind) / entry.len());
        frame.extend(postcard::to_allocvec(&entries).unwrap());
        frame.extend(entry.repeat(entries));
        frame.extend(rest);
        frame
    }

    /// Checks that the list may have two entries, and not a frame full of them.
    #[track_caller]
    fn assert_bounded<T: Serialize + serde::de::DeserializeOwned>(
        value: &T,
        entry: &[u8],
        behind: usize,
    ) {
        let two = decode::<T>(&stuffed(value, entry, behind, Some(2)));
        assert!(two.is_ok(), "{:?}", two.err());
        let full = stuffed(value, entry, behind, None);
        assert!(full.len() > MAX_BYTES - 16 && decode::<T>(&full).is_err());
    }

    #[test]
    fn no_list_of_a_worker_holds_more_than_there_is_reason_for() {
        use crate::gpu::{GpuAnswer, Payload};
        use crate::job::RunEnd;
        use crate::outcome::{Blame, OutcomeKind};
        // A layer that is enforced in no words, and a stack's frame of which nothing is known.
        let three = [0, 0, 0];
        let hello = Hello {
            build: [0; 16],
            kind: WorkerKind::Runner,
            layers: Vec::new(),
        };
        assert_bounded(&hello, &three, 0);
        assert_bounded(&FromRunner::Ready(Vec::new()), &three, 0);
        let ready = FromGpu::Ready {
            driver: String::new(),
            properties: Default::default(),
            turns_limit: None,
            layers: Vec::new(),
        };
        assert_bounded(&ready, &three, 0);
        let trapped = Outcome::failed(OutcomeKind::Trap, Blame::Guest, "x");
        assert_bounded(&trapped, &three, 0);
        // A capability, which is the least that a cause says.
        let capability = crate::grant::Capability::Log;
        let not_wanted = crate::outcome::Cause::NotWanted { capability };
        let not_wanted = postcard::to_allocvec(&not_wanted).unwrap();
        assert_bounded(&trapped, &not_wanted, 1);
        let ended = FromRunner::Ended {
            id: 1,
            end: Box::new(RunEnd::not_run(trapped)),
        };
        assert_bounded(&ended, &[0], 0);
        let samples = Box::<crate::samples::Samples>::default();
        let samples = FromRunner::Samples { id: 1, samples };
        // Behind the stacks stand two counts of what was elsewhere; a stack of one function is four bytes of zeros and ones.
        assert_bounded(&samples, &[1, 0, 0, 0, 0], 2);
        let claims = RunEnd::<Payload>::not_run(Outcome::done()).usage;
        assert_bounded(&claims, &[0], 0);
        // Behind the dispatches of a profile stand its kernels, and behind those that there is no end.
        let ended = FromGpu::Ended {
            id: 1,
            usage: Box::default(),
            end: None,
        };
        assert_bounded(&ended, &[0; 4], 2);
        assert_bounded(&ended, &[0; 8], 1);
        assert_bounded(&GpuAnswer::Waited(Vec::new()), &[0], 0);
    }
}
