//! A runner's word during one launch: log lines and progress, samples if they are asked for, then one end.

use super::{Violation, check_descriptors, words};
use bytes::Bytes;
use hotcell_model::frame::{FromRunner, LINE_BYTES, LogPiece, decode};
use hotcell_model::gpu::Payload;
use hotcell_model::job::RunEnd;
use hotcell_model::limit::{Limit, Limits};
use hotcell_model::report::{LogLevel, LogLine};
use hotcell_model::samples::Samples;
use hotcell_model::text;
use std::time::Duration;

/// What a line that was cut ends in, beyond the limit on bytes.
const CUT: &str = "…";

/// What is known of a launch before its runner says a word.
#[derive(Clone, Debug)]
pub struct Expected {
    /// The launch's number.
    pub id: u64,
    /// The sizes of the outputs that are due inside the last frame, in their order.
    pub inline: Vec<usize>,
    /// The limits in force.
    pub limits: Limits,
    /// The number of chunks.
    pub chunks: u64,
    /// How often guests are looked at, if they are.
    pub sample_every: Option<Duration>,
}

/// What one frame said.
#[derive(Debug, PartialEq)]
pub enum Heard {
    /// A part of something.
    Nothing,
    /// The guest logged that.
    Line(LogLine),
    /// The guest says how far it is.
    Progress {
        /// So much is done,
        done: u64,
        /// of so much.
        total: u64,
    },
    /// The launch ended. What the runner says is checked for sense, and not for truth.
    Ended(Box<RunEnd<Bytes>>),
    /// The runner failed, and ends itself.
    Failed(String),
}

/// Reads the frames of one launch, in order.
#[derive(Debug)]
pub struct LaunchReading {
    expected: Expected,
    /// Bytes of log lines that may still come.
    log_bytes_left: u64,
    /// Log lines that may still begin.
    log_lines_left: u64,
    /// Progress that may still come.
    progress_left: u64,
    /// The line that is under way.
    partial: Option<(LogLevel, String)>,
    /// What came of looking at the guest.
    samples: Option<Box<Samples>>,
    has_ended: bool,
}

impl LaunchReading {
    /// For a launch whose request was sent.
    pub fn new(expected: Expected) -> Self {
        let limits = &expected.limits;
        Self {
            log_bytes_left: limits.get(Limit::LogBytes).saturating_add(CUT.len() as u64),
            log_lines_left: limits.get(Limit::LogLines),
            // Each is a host call. A chunk whose memory others held runs again, and is given its calls back: one after
            // the other, each chunk may have made all of them.
            progress_left: limits
                .get(Limit::HostCalls)
                .saturating_mul(expected.chunks.saturating_add(1)),
            partial: None,
            samples: None,
            has_ended: false,
            expected,
        }
    }

    /// Reads one frame with so many descriptors beside it.
    ///
    /// # Errors
    /// A runner that kept the protocol would not have sent it. Nothing more is to be read.
    pub fn read(&mut self, frame: &[u8], descriptors: usize) -> Result<Heard, Violation> {
        check_descriptors(descriptors)?;
        if self.has_ended {
            return Err(Violation::OutOfOrder("a word after the end"));
        }
        match decode(frame)? {
            FromRunner::Log(line) => self.line(line),
            FromRunner::Progress { id, done, total } => {
                self.check_id(id)?;
                let left = self.progress_left.checked_sub(1);
                self.progress_left = left.ok_or(Violation::Flood)?;
                Ok(Heard::Progress { done, total })
            }
            FromRunner::Samples { id, samples } => self.samples(id, *samples),
            FromRunner::Ended { id, end } => self.ended(id, *end),
            FromRunner::Failed(why) => {
                self.has_ended = true;
                Ok(Heard::Failed(words(&why)))
            }
            FromRunner::Ready(_) | FromRunner::Stale(_) | FromRunner::Misfit(_) => {
                Err(Violation::OutOfOrder("word of an artifact"))
            }
            FromRunner::Attempted(_) => Err(Violation::OutOfOrder("word of an attempt")),
        }
    }

    fn check_id(&self, found: u64) -> Result<(), Violation> {
        let expected = self.expected.id;
        match found == expected {
            true => Ok(()),
            false => Err(Violation::OtherLaunch { expected, found }),
        }
    }

    fn line(&mut self, line: LogPiece) -> Result<Heard, Violation> {
        self.check_id(line.id)?;
        let bytes = line.text.len();
        let left = self.log_bytes_left.checked_sub(bytes as u64);
        self.log_bytes_left = left.ok_or(Violation::Log)?;
        // A piece of nothing is a line of its own or a flood.
        let is_piece = !line.is_end || self.partial.is_some();
        if bytes > LINE_BYTES || (bytes == 0 && is_piece) {
            return Err(Violation::Log);
        }
        let mut message = match self.partial.take() {
            Some((level, message)) if level == line.level => message,
            Some(_) => return Err(Violation::OutOfOrder("another line inside a line")),
            None => {
                let left = self.log_lines_left.checked_sub(1);
                self.log_lines_left = left.ok_or(Violation::Log)?;
                String::new()
            }
        };
        message.push_str(&line.text);
        if !line.is_end {
            self.partial = Some((line.level, message));
            return Ok(Heard::Nothing);
        }
        let most = self.expected.limits.get(Limit::LogBytes);
        let message = text::clean(&message, usize::try_from(most).unwrap_or(usize::MAX));
        let level = line.level;
        Ok(Heard::Line(LogLine { level, message }))
    }

    fn samples(&mut self, id: u64, samples: Samples) -> Result<Heard, Violation> {
        self.check_id(id)?;
        if self.samples.is_some() {
            return Err(Violation::OutOfOrder("samples for the second time"));
        }
        let period = self.expected.sample_every;
        let period = period.ok_or(Violation::OutOfOrder("samples that nobody asked for"))?;
        let samples = samples.claimed(period).ok_or(Violation::Samples)?;
        self.samples = Some(Box::new(samples));
        Ok(Heard::Nothing)
    }

    fn ended(&mut self, id: u64, end: RunEnd<Payload>) -> Result<Heard, Violation> {
        self.check_id(id)?;
        if self.partial.is_some() {
            return Err(Violation::OutOfOrder("the end inside a line"));
        }
        let bytes = |Payload(bytes)| bytes;
        let mut end = end.map_outputs(|outputs| outputs.into_iter().map(bytes).collect());
        end.outcome = end.outcome.claimed().ok_or(Violation::Outcome)?;
        // Of these a runner knows nothing.
        end.usage.gpu = None;
        end.usage.claimed.clear();
        let due: &[usize] = match end.outcome.keeps_outputs() {
            true => &self.expected.inline,
            false => &[],
        };
        if !end.outputs.iter().map(Bytes::len).eq(due.iter().copied()) {
            return Err(Violation::Outputs);
        }
        end.samples = self.samples.take();
        self.has_ended = true;
        Ok(Heard::Ended(Box::new(end)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hotcell_model::frame::encode;
    use hotcell_model::limit::LimitSource;
    use hotcell_model::outcome::{Blame, Frame, Outcome, OutcomeKind};
    use hotcell_model::samples::SampleCount;

    const ID: u64 = 5;

    fn reading(inline: &[usize], limits: &[(Limit, u64)]) -> LaunchReading {
        let mut in_force = Limits::defaults(Default::default());
        for (limit, value) in limits {
            in_force
                .try_set(*limit, *value, LimitSource::Request)
                .unwrap();
        }
        LaunchReading::new(Expected {
            id: ID,
            inline: inline.to_vec(),
            limits: in_force,
            chunks: 2,
            sample_every: None,
        })
    }

    fn frame(value: &FromRunner) -> Vec<u8> {
        let mut buffer = Vec::new();
        encode(value, &mut buffer).unwrap();
        buffer
    }

    fn read(reading: &mut LaunchReading, value: &FromRunner) -> Result<Heard, Violation> {
        reading.read(&frame(value), 0)
    }

    fn piece(text: &str, is_end: bool) -> FromRunner {
        FromRunner::Log(LogPiece {
            id: ID,
            level: LogLevel::Info,
            text: text.into(),
            is_end,
        })
    }

    fn end_of(id: u64, outcome: &Outcome, inline: &[&[u8]]) -> FromRunner {
        let outputs = inline
            .iter()
            .map(|bytes| Payload(Bytes::from(bytes.to_vec())))
            .collect();
        let end = Box::new(RunEnd {
            outputs,
            ..RunEnd::not_run(outcome.clone())
        });
        FromRunner::Ended { id, end }
    }

    fn end(outcome: &Outcome, inline: &[&[u8]]) -> FromRunner {
        end_of(ID, outcome, inline)
    }

    #[test]
    fn a_line_in_pieces_is_put_together_and_escaped() {
        let mut reading = reading(&[], &[]);
        assert_eq!(
            read(&mut reading, &piece("one ", false)),
            Ok(Heard::Nothing)
        );
        let Ok(Heard::Line(line)) = read(&mut reading, &piece("two\x1b", true)) else {
            panic!("the line ends");
        };
        assert_eq!(line.message, "one two\\u{1b}");
        assert!(matches!(
            read(&mut reading, &end(&Outcome::done(), &[])),
            Ok(Heard::Ended(_))
        ));
        assert!(matches!(
            read(&mut reading, &piece("late", true)),
            Err(Violation::OutOfOrder(_))
        ));
    }

    #[test]
    fn log_beyond_its_limits_is_a_violation() {
        let limits = [(Limit::LogBytes, 4), (Limit::LogLines, 2)];
        let mut long = reading(&[], &limits);
        // The runner's own cut is within.
        assert!(read(&mut long, &piece("abcd…", true)).is_ok());
        assert_eq!(read(&mut long, &piece("e", true)), Err(Violation::Log));
        let mut many = reading(&[], &limits);
        assert!(read(&mut many, &piece("", true)).is_ok());
        assert!(read(&mut many, &piece("", true)).is_ok());
        assert_eq!(read(&mut many, &piece("", true)), Err(Violation::Log));
        let mut empty = reading(&[], &limits);
        assert_eq!(read(&mut empty, &piece("", false)), Err(Violation::Log));
    }

    #[test]
    fn progress_without_end_is_a_flood() {
        let mut reading = reading(&[], &[(Limit::HostCalls, 3)]);
        let progress = |id| FromRunner::Progress {
            id,
            done: 1,
            total: 2,
        };
        // Two chunks that had to give way to others, and their last run.
        for _ in 0..9 {
            assert!(read(&mut reading, &progress(ID)).is_ok());
        }
        assert_eq!(read(&mut reading, &progress(ID)), Err(Violation::Flood));
        assert_eq!(
            read(&mut reading, &progress(ID + 1)),
            Err(Violation::OtherLaunch {
                expected: ID,
                found: ID + 1
            })
        );
    }

    fn samples(id: u64) -> FromRunner {
        let mut samples = Samples::every(Duration::from_nanos(1));
        let function = Frame {
            function: Some("\x1b[2J".into()),
            ..Frame::default()
        };
        let place = samples.place(&[function], false);
        let count = SampleCount {
            samples: 3,
            cpu_ns: 4_000_000,
        };
        samples.count(place, count);
        let samples = Box::new(samples);
        FromRunner::Samples { id, samples }
    }

    #[test]
    fn samples_come_once_where_they_are_asked_for_and_are_escaped() {
        let sampled = || {
            let mut sampled = reading(&[], &[]);
            sampled.expected.sample_every = Some(Duration::from_millis(2));
            sampled
        };
        assert!(matches!(
            read(&mut reading(&[], &[]), &samples(ID)),
            Err(Violation::OutOfOrder(_))
        ));
        assert!(matches!(
            read(&mut sampled(), &samples(ID + 1)),
            Err(Violation::OtherLaunch { .. })
        ));
        let mut twice = sampled();
        assert_eq!(read(&mut twice, &samples(ID)), Ok(Heard::Nothing));
        assert!(read(&mut twice, &samples(ID)).is_err());
        let mut once = sampled();
        assert_eq!(read(&mut once, &samples(ID)), Ok(Heard::Nothing));
        let heard = read(&mut once, &end(&Outcome::done(), &[]));
        let Ok(Heard::Ended(end)) = heard else {
            panic!("an honest end");
        };
        let samples = end.samples.expect("they came before");
        assert_eq!(samples.period(), Duration::from_millis(2));
        let stack = samples.stacks().next().expect("one stack");
        let name = stack.functions[0].function.as_deref();
        assert_eq!((name, stack.count.samples), (Some("\\u{1b}[2J"), 3));
        // An end without them is one, too.
        let none = read(&mut sampled(), &self::end(&Outcome::done(), &[]));
        assert!(matches!(none, Ok(Heard::Ended(end)) if end.samples.is_none()));
    }

    #[test]
    fn samples_that_contradict_themselves_are_a_violation() {
        let mut reading = reading(&[], &[]);
        reading.expected.sample_every = Some(Duration::from_millis(2));
        let bytes = frame(&samples(ID));
        let violated = (0..bytes.len()).filter(|at| {
            let mut lie = bytes.clone();
            lie[*at] ^= 0x40;
            let mut reading = LaunchReading::new(reading.expected.clone());
            reading.read(&lie, 0).is_err()
        });
        assert!(violated.count() > 5);
    }

    #[test]
    fn outputs_are_those_that_were_asked_for_and_only_where_they_are_kept() {
        let trapped = Outcome::failed(OutcomeKind::Trap, Blame::Guest, "x");
        let done = Outcome::done();
        for (outcome, inline, is_fine) in [
            (&done, &[&b"ab"[..], b""][..], true),
            (&done, &[b"ab"], false),
            (&done, &[b"abc", b""], false),
            (&done, &[b"ab", b"", b""], false),
            (&trapped, &[b"ab", b""], false),
            (&trapped, &[], true),
        ] {
            let mut reading = reading(&[2, 0], &[]);
            let heard = read(&mut reading, &end(outcome, inline));
            assert_eq!(heard.is_ok(), is_fine, "{outcome:?} {inline:?}");
        }
    }

    #[test]
    fn an_end_that_only_the_supervisor_can_say_is_a_violation() {
        let denied = Outcome::failed(OutcomeKind::Denied, Blame::Operator, "x");
        assert_eq!(
            read(&mut reading(&[], &[]), &end(&denied, &[])),
            Err(Violation::Outcome)
        );
        let other = end_of(0, &Outcome::done(), &[]);
        assert!(matches!(
            read(&mut reading(&[], &[]), &other),
            Err(Violation::OtherLaunch { .. })
        ));
        let mut inside = reading(&[], &[]);
        assert!(read(&mut inside, &piece("half", false)).is_ok());
        assert!(matches!(
            read(&mut inside, &end(&Outcome::done(), &[])),
            Err(Violation::OutOfOrder(_))
        ));
    }

    #[test]
    fn figures_that_a_runner_cannot_know_are_dropped() {
        let FromRunner::Ended { id, mut end } = end(&Outcome::done(), &[]) else {
            panic!("an end");
        };
        end.usage.gpu = Some(Box::default());
        end.usage.claimed = vec!["nothing at all".to_owned()];
        let heard = read(&mut reading(&[], &[]), &FromRunner::Ended { id, end });
        let Ok(Heard::Ended(end)) = heard else {
            panic!("an honest end but for that");
        };
        assert_eq!(end.usage, Default::default());
    }

    #[test]
    fn words_of_another_phase_and_descriptors_are_violations() {
        let bytes = frame(&FromRunner::Ready(Vec::new()));
        assert!(matches!(
            reading(&[], &[]).read(&bytes, 0),
            Err(Violation::OutOfOrder(_))
        ));
        assert_eq!(
            reading(&[], &[]).read(&bytes, 1),
            Err(Violation::Descriptors(1))
        );
    }
}
