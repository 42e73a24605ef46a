//! A guarded process's word: its walls once, and during a call what its compilers do and one end.

use super::{Greeting, Violation, check_descriptors, check_layers, words};
use hotcell_model::array::ArrayType;
use hotcell_model::frame::{
    CallEnd, FromGuarded, INLINE_BYTES, Raised, RaisedKind, decode, read_last_words,
};
use hotcell_model::guard::{JitArray, JitEnd, JitEvent};
use hotcell_model::layer::Layer;
use hotcell_model::text;

/// The longest words of an exception that are kept.
const MESSAGE_BYTES: usize = 8 << 10;
/// The longest traceback that is kept.
const TRACEBACK_BYTES: usize = 16 << 10;
/// The longest text of a value that is read: whoever asked reads it whole.
const TEXT_BYTES: u64 = 64 << 20;
/// The longest name, or reason, of a compilation that is kept.
const JIT_BYTES: usize = 256;
/// The most events of compilers in one call that are read.
const EVENTS: u64 = 100_000;

/// What one frame said.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    /// It needs memory for so many bytes of results.
    Needs(u64),
    /// A compiler begins or ends: words that are clean.
    Jit(JitEvent),
    /// The call returned.
    Returned(Returning),
    /// The call raised: words that are clean.
    Raised(Raised),
}

/// What a call returned: checked against the size of what it lies in.
#[derive(Debug, PartialEq, Eq)]
pub struct Returning {
    /// The results, where they are in the frame.
    pub inline: Option<Vec<u8>>,
    /// The size of the value's text, which comes first.
    pub value_bytes: usize,
    /// The arrays, and where each begins: in order, none over another.
    pub arrays: Vec<(ArrayType, usize)>,
}

/// Reads the layers that a guarded process has put on.
///
/// # Errors
/// It is no such frame.
pub fn read_walled(frame: &[u8], descriptors: usize) -> Result<Greeting, Violation> {
    check_descriptors(descriptors)?;
    if let Some(why) = read_last_words(frame) {
        return Ok(Greeting::Failed(words(why)));
    }
    match decode(frame)? {
        FromGuarded::Walled(layers) => check_layers(layers, &Layer::ALL).map(Greeting::Layers),
        _ => Err(Violation::OutOfOrder("something else than walls")),
    }
}

/// Reads whether a guarded process has imported what it was to; what is in the way, if it has not. `None` for what its
/// compilers do meanwhile, which is nobody's call.
///
/// # Errors
/// It is no such frame.
pub fn read_ready(
    frame: &[u8],
    descriptors: usize,
) -> Result<Option<Result<(), String>>, Violation> {
    check_descriptors(descriptors)?;
    match decode(frame)? {
        FromGuarded::Ready { failure: None } => Ok(Some(Ok(()))),
        FromGuarded::Ready { failure: Some(why) } => Ok(Some(Err(words(&why)))),
        FromGuarded::Jit(_) => Ok(None),
        _ => Err(Violation::OutOfOrder("something else than readiness")),
    }
}

/// Reads the frames of one call, in order.
#[derive(Debug)]
pub struct CallReading {
    id: u64,
    events_left: u64,
    /// The memory that was asked for.
    memory_bytes: Option<u64>,
    has_ended: bool,
}

impl CallReading {
    /// For a call whose request was sent.
    pub fn new(id: u64) -> Self {
        Self {
            id,
            events_left: EVENTS,
            memory_bytes: None,
            has_ended: false,
        }
    }

    /// Reads one frame with so many descriptors beside it.
    ///
    /// # Errors
    /// A process that kept the protocol would not have sent it. Nothing more is to be read.
    pub fn read(&mut self, frame: &[u8], descriptors: usize) -> Result<Said, Violation> {
        check_descriptors(descriptors)?;
        if self.has_ended {
            return Err(Violation::OutOfOrder("a word after the end"));
        }
        match decode(frame)? {
            FromGuarded::Needs { id, bytes } => {
                self.check_id(id)?;
                if self.memory_bytes.replace(bytes).is_some() {
                    return Err(Violation::OutOfOrder("a second wish for memory"));
                }
                Ok(Said::Needs(bytes))
            }
            FromGuarded::Jit(event) => {
                let left = self.events_left.checked_sub(1);
                self.events_left = left.ok_or(Violation::Flood)?;
                Ok(Said::Jit(clean_event(*event)))
            }
            FromGuarded::Ended { id, end } => {
                self.check_id(id)?;
                self.has_ended = true;
                match *end {
                    CallEnd::Returned {
                        inline,
                        value_bytes,
                        arrays,
                    } => {
                        let inline = inline.map(|payload| payload.0.to_vec());
                        let arrays = arrays
                            .into_iter()
                            .map(|array| {
                                let ty = ArrayType::new(array.dtype, array.shape);
                                Ok((ty.map_err(|_| Violation::Outputs)?, array.offset_bytes))
                            })
                            .collect::<Result<Vec<_>, Violation>>()?;
                        self.returned(inline, value_bytes, arrays)
                            .map(Said::Returned)
                    }
                    CallEnd::Raised(raised) => Ok(Said::Raised(clean_raised(raised))),
                }
            }
            FromGuarded::Walled(_) | FromGuarded::Ready { .. } => {
                Err(Violation::OutOfOrder("word of its walls"))
            }
        }
    }

    fn check_id(&self, found: u64) -> Result<(), Violation> {
        let expected = self.id;
        match found == expected {
            true => Ok(()),
            false => Err(Violation::OtherLaunch { expected, found }),
        }
    }

    /// Everything lies within the memory, in order, with nothing over anything else.
    fn returned(
        &self,
        inline: Option<Vec<u8>>,
        value_bytes: u64,
        arrays: Vec<(ArrayType, u64)>,
    ) -> Result<Returning, Violation> {
        let total = match (&inline, self.memory_bytes) {
            (Some(inline), _) if inline.len() <= INLINE_BYTES => inline.len() as u64,
            (None, Some(bytes)) => bytes,
            _ => return Err(Violation::Outputs),
        };
        if value_bytes > TEXT_BYTES {
            return Err(Violation::Outputs);
        }
        let within = |offset: u64| usize::try_from(offset).map_err(|_| Violation::Outputs);
        let mut end = value_bytes;
        let mut placed = Vec::with_capacity(arrays.len());
        for (ty, offset) in arrays {
            if offset < end || !offset.is_multiple_of(ty.dtype().size_bytes()) {
                return Err(Violation::Outputs);
            }
            end = offset
                .checked_add(ty.size_bytes())
                .ok_or(Violation::Outputs)?;
            placed.push((ty, within(offset)?));
        }
        match end <= total {
            true => Ok(Returning {
                inline,
                value_bytes: within(value_bytes)?,
                arrays: placed,
            }),
            false => Err(Violation::Outputs),
        }
    }
}

fn clean_raised(raised: Raised) -> Raised {
    let lines = raised
        .traceback
        .lines()
        .map(|line| text::escape(line, MESSAGE_BYTES));
    let mut traceback = lines.collect::<Vec<_>>().join("\n");
    traceback.truncate(traceback.floor_char_boundary(TRACEBACK_BYTES));
    let mut message = text::escape(&raised.message, MESSAGE_BYTES);
    if message.trim().is_empty() {
        "an exception without words".clone_into(&mut message);
    }
    Raised {
        kind: raised.kind,
        message,
        traceback,
        requested_bytes: raised
            .requested_bytes
            .filter(|_| raised.kind == RaisedKind::Memory),
    }
}

fn clean_event(event: JitEvent) -> JitEvent {
    let clean = |words: &str| text::escape(words, JIT_BYTES);
    match event {
        JitEvent::Begin {
            id,
            system,
            function,
        } => JitEvent::Begin {
            id,
            system,
            function: clean(&function),
        },
        JitEvent::End(end) => JitEvent::End(JitEnd {
            function: clean(&end.function),
            template: clean(&end.template),
            why: clean(&end.why),
            arguments: end
                .arguments
                .into_iter()
                .map(|array| JitArray {
                    name: clean(&array.name),
                    ..array
                })
                .collect(),
            phases: end
                .phases
                .into_iter()
                .map(|(phase, ns)| (clean(&phase), ns))
                .collect(),
            ..end
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hotcell_model::frame::{ReturnedArray, encode};
    use hotcell_model::gpu::Payload;
    use hotcell_model::guard::JitSystem;
    use hotcell_model::manifest::DType;

    fn frame(word: &FromGuarded) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode(word, &mut bytes).unwrap();
        bytes
    }

    fn returned(inline: Option<usize>, value_bytes: u64, arrays: &[(u64, u64)]) -> FromGuarded {
        let arrays = arrays.iter().map(|(len, offset_bytes)| ReturnedArray {
            dtype: DType::F32,
            shape: vec![*len],
            offset_bytes: *offset_bytes,
        });
        let end = CallEnd::Returned {
            inline: inline.map(|len| Payload(vec![b' '; len].into())),
            value_bytes,
            arrays: arrays.collect(),
        };
        FromGuarded::Ended {
            id: 7,
            end: Box::new(end),
        }
    }

    fn read(word: &FromGuarded) -> Result<Said, Violation> {
        CallReading::new(7).read(&frame(word), 0)
    }

    #[test]
    fn what_is_returned_lies_in_its_memory_and_nothing_over_anything() {
        assert!(read(&returned(Some(40), 8, &[(2, 8), (4, 16)])).is_ok());
        for hostile in [
            returned(Some(40), 41, &[]),
            returned(Some(40), 8, &[(9, 8)]),
            returned(Some(40), 8, &[(1, 4)]),
            returned(Some(40), 8, &[(2, 8), (1, 12)]),
            returned(Some(40), 8, &[(1, 10)]),
            returned(Some(40), 8, &[(1, u64::MAX - 3)]),
            returned(Some(40), 8, &[(u64::MAX / 2, 8)]),
            returned(Some(INLINE_BYTES + 1), 0, &[]),
            returned(None, 0, &[]),
        ] {
            assert_eq!(read(&hostile), Err(Violation::Outputs), "{hostile:?}");
        }
    }

    #[test]
    fn memory_is_wished_for_once_and_is_what_counts() {
        let mut reading = CallReading::new(7);
        let needs = frame(&FromGuarded::Needs { id: 7, bytes: 16 });
        assert_eq!(reading.read(&needs, 0), Ok(Said::Needs(16)));
        assert!(matches!(
            reading.read(&needs, 0),
            Err(Violation::OutOfOrder(_))
        ));
        let mut reading = CallReading::new(7);
        reading.read(&needs, 0).unwrap();
        assert_eq!(
            reading.read(&frame(&returned(None, 4, &[(4, 4)])), 0),
            Err(Violation::Outputs)
        );
    }

    #[test]
    fn nothing_follows_the_end_and_nothing_is_about_another_call() {
        let raised = |id| FromGuarded::Ended {
            id,
            end: Box::new(CallEnd::Raised(Raised {
                kind: RaisedKind::Own,
                message: "\u{1b}[2J".to_owned(),
                traceback: "one\ntwo\r\u{202e}".to_owned(),
                requested_bytes: Some(5),
            })),
        };
        assert!(matches!(
            read(&raised(8)),
            Err(Violation::OtherLaunch { .. })
        ));
        let mut reading = CallReading::new(7);
        let Ok(Said::Raised(clean)) = reading.read(&frame(&raised(7)), 0) else {
            panic!("it is an end");
        };
        assert!(!clean.message.contains('\u{1b}') && !clean.traceback.contains('\r'));
        assert_eq!(clean.traceback.lines().count(), 2);
        assert_eq!(clean.requested_bytes, None);
        assert!(matches!(
            reading.read(&frame(&raised(7)), 0),
            Err(Violation::OutOfOrder(_))
        ));
        assert!(matches!(
            CallReading::new(7).read(&frame(&raised(7)), 1),
            Err(Violation::Descriptors(1))
        ));
    }

    #[test]
    fn a_flood_of_events_ends() {
        let event = frame(&FromGuarded::Jit(Box::new(JitEvent::Begin {
            id: 1,
            system: JitSystem::Jax,
            function: "f\n".repeat(1000),
        })));
        let mut reading = CallReading::new(7);
        let mut read = 0;
        let end = loop {
            match reading.read(&event, 0) {
                Ok(Said::Jit(JitEvent::Begin { function, .. })) => {
                    assert!(function.len() <= JIT_BYTES + 3 && !function.contains('\n'));
                    read += 1;
                }
                other => break other,
            }
        };
        assert_eq!((read, end), (EVENTS, Err(Violation::Flood)));
    }

    #[test]
    fn bytes_of_any_kind_are_a_violation_or_a_word() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..20_000 {
            let mut bytes = Vec::new();
            for _ in 0..(state % 64) {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                bytes.push((state >> 56) as u8);
            }
            state = state.wrapping_add(0x1234_5677);
            let _ = CallReading::new(7).read(&bytes, 0);
            let _ = read_walled(&bytes, 0);
            let _ = read_ready(&bytes, 0);
        }
    }
}
