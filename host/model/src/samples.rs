//! Where the time of a guest went: its stacks, as they were found now and then while it ran.
//!
//! A runner looks at a guest where this looks at its epoch anyway: where a function begins and where a loop goes round. What
//! happened since the last look, host calls included, counts for the stack that is found then. A guest chooses its names and
//! how many stacks it has, and so all of it is bounded; what is over a bound is counted as *elsewhere*. From a worker it is a
//! claim: [`Samples::claimed`] makes it fit to be shown, and nothing can make it true.

use crate::outcome::{Frame, NAME_BYTES};
use crate::{bounded, exact, text};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The least time between two looks at a guest: that between two ticks of the epoch.
pub const SAMPLING_TICK: Duration = Duration::from_millis(1);

/// The most stacks that are told apart.
pub const STACKS: usize = 512;
/// The most functions, over all stacks, that are told apart.
pub const FUNCTIONS: usize = 1024;
/// The most functions of one stack that are kept: the innermost.
pub const STACK_FUNCTIONS: usize = 32;
/// The most bytes that the names of functions and files have together. With the others this keeps samples within a frame.
pub const NAMES_BYTES: usize = 32 << 10;

/// The stacks of a launch's guest, over all of its chunks, and how often each was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Samples {
    /// The time between two looks at a chunk, in nanoseconds. Where a look takes long, it is longer.
    #[serde(with = "exact")]
    period_ns: u64,
    /// The functions of the stacks, each once.
    #[serde(deserialize_with = "bounded::list::<_, _, FUNCTIONS>")]
    functions: Vec<Frame>,
    #[serde(deserialize_with = "bounded::list::<_, _, STACKS>")]
    stacks: Vec<CountedStack>,
    elsewhere: SampleCount,
}

/// A stack, and how often it was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CountedStack {
    /// Positions in the list of functions, the outermost first.
    #[serde(deserialize_with = "bounded::list::<_, _, STACK_FUNCTIONS>")]
    functions: Vec<u16>,
    is_cut: bool,
    count: SampleCount,
}

/// How often something was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SampleCount {
    /// How many looks found it.
    #[serde(with = "exact")]
    pub samples: u64,
    /// CPU time of the chunks' threads between those looks and the ones before, in nanoseconds; without that of looking.
    #[serde(with = "exact")]
    pub cpu_ns: u64,
}

impl SampleCount {
    /// Adds looks.
    pub fn add(&mut self, more: Self) {
        self.samples = self.samples.saturating_add(more.samples);
        self.cpu_ns = self.cpu_ns.saturating_add(more.cpu_ns);
    }

    fn checked_add(self, more: Self) -> Option<Self> {
        Some(Self {
            samples: self.samples.checked_add(more.samples)?,
            cpu_ns: self.cpu_ns.checked_add(more.cpu_ns)?,
        })
    }
}

/// One of the stacks that were found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampledStack<'a> {
    /// Its functions, the outermost first. Their lines are those where they were at that moment, where there is debug
    /// information.
    pub functions: Vec<&'a Frame>,
    /// Whether there were more, outside of these.
    pub is_cut: bool,
    /// How often it was found.
    pub count: SampleCount,
}

impl Samples {
    /// None yet, for looks that far apart.
    pub fn every(period: Duration) -> Self {
        Self {
            period_ns: crate::time::nanoseconds(period),
            ..Self::default()
        }
    }

    /// The time between two looks at a chunk, at least.
    pub fn period(&self) -> Duration {
        Duration::from_nanos(self.period_ns)
    }

    /// The stacks, in the order in which they were first found.
    pub fn stacks(&self) -> impl Iterator<Item = SampledStack<'_>> {
        self.stacks.iter().map(|stack| {
            let functions = stack.functions.iter();
            let function = |at: &u16| self.functions.get(usize::from(*at));
            SampledStack {
                functions: functions.filter_map(function).collect(),
                is_cut: stack.is_cut,
                count: stack.count,
            }
        })
    }

    /// What was found where no function is known, or beyond what is told apart.
    pub fn elsewhere(&self) -> SampleCount {
        self.elsewhere
    }

    /// All looks.
    pub fn total(&self) -> SampleCount {
        let mut total = self.elsewhere;
        self.stacks.iter().for_each(|stack| total.add(stack.count));
        total
    }

    /// Makes room for a stack, the outermost function first; its position, to be counted at. `None` if there is no room, or
    /// no function.
    pub fn place(&mut self, stack: &[Frame], is_cut: bool) -> Option<usize> {
        let innermost = &stack[stack.len().saturating_sub(STACK_FUNCTIONS)..];
        let is_cut = is_cut || innermost.len() < stack.len();
        let functions: Option<Vec<u16>> = innermost
            .iter()
            .map(|function| self.function(function))
            .collect();
        let functions = functions.filter(|functions| !functions.is_empty())?;
        let is_same = |known: &CountedStack| known.functions == functions && known.is_cut == is_cut;
        if let Some(position) = self.stacks.iter().position(is_same) {
            return Some(position);
        }
        (self.stacks.len() < STACKS).then(|| {
            self.stacks.push(CountedStack {
                functions,
                is_cut,
                count: SampleCount::default(),
            });
            self.stacks.len() - 1
        })
    }

    /// Counts looks that found the stack at that position, or something else.
    pub fn count(&mut self, position: Option<usize>, more: SampleCount) {
        let stack = position.and_then(|position| self.stacks.get_mut(position));
        match stack {
            Some(stack) => stack.count.add(more),
            None => self.elsewhere.add(more),
        }
    }

    /// The position of a function, if it is known or there is room for it.
    fn function(&mut self, function: &Frame) -> Option<u16> {
        if let Some(position) = self.functions.iter().position(|known| known == function) {
            return u16::try_from(position).ok();
        }
        let bytes = |function: &Frame| {
            let names = [&function.function, &function.file].into_iter().flatten();
            names.map(String::len).sum::<usize>()
        };
        let held: usize = self.functions.iter().map(bytes).sum();
        let has_room =
            self.functions.len() < FUNCTIONS && held.saturating_add(bytes(function)) <= NAMES_BYTES;
        has_room.then(|| self.functions.push(function.clone()))?;
        u16::try_from(self.functions.len() - 1).ok()
    }

    /// What a worker says of looks that far apart, its names escaped and cut; `None` if it contradicts itself.
    pub fn claimed(mut self, period: Duration) -> Option<Self> {
        self.period_ns = crate::time::nanoseconds(period);
        let known = self.functions.len();
        let is_known = |at: &u16| usize::from(*at) < known;
        let mut total = self.elsewhere;
        for stack in &self.stacks {
            if stack.functions.is_empty() || !stack.functions.iter().all(is_known) {
                return None;
            }
            total = total.checked_add(stack.count)?;
        }
        for function in &mut self.functions {
            let names = function.function.iter_mut().chain(&mut function.file);
            names.for_each(|name| *name = text::clean(name, NAME_BYTES));
        }
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{FromRunner, MAX_BYTES, decode, encode};

    const PERIOD: Duration = Duration::from_millis(2);

    fn function(name: impl Into<String>) -> Frame {
        Frame {
            function: Some(name.into()),
            ..Frame::default()
        }
    }

    fn once() -> SampleCount {
        SampleCount {
            samples: 1,
            cpu_ns: 10,
        }
    }

    fn found(samples: &mut Samples, stack: &[Frame]) {
        let position = samples.place(stack, false);
        samples.count(position, once());
    }

    #[test]
    fn equal_stacks_are_counted_together_and_nothing_is_lost() {
        let mut samples = Samples::every(PERIOD);
        let (outer, inner) = (function("outer"), function("inner"));
        found(&mut samples, &[outer.clone(), inner.clone()]);
        found(&mut samples, &[outer.clone(), inner]);
        found(&mut samples, std::slice::from_ref(&outer));
        found(&mut samples, &[]);
        let counts: Vec<u64> = samples.stacks().map(|stack| stack.count.samples).collect();
        assert_eq!(counts, [2, 1]);
        assert_eq!(samples.elsewhere(), once());
        assert_eq!(samples.total().samples, 4);
        assert_eq!(samples.total().cpu_ns, 40);
        let first = samples.stacks().next().unwrap();
        assert_eq!(first.functions[0], &outer);
        assert_eq!(samples.period(), PERIOD);
    }

    #[test]
    fn the_most_that_is_kept_fits_a_frame_and_the_rest_is_elsewhere() {
        let mut samples = Samples::every(PERIOD);
        let looks = 3 * FUNCTIONS;
        for look in 0..looks {
            let mut stack = vec![function("deep"); STACK_FUNCTIONS - 2];
            stack.push(function("x".repeat(look % NAME_BYTES)));
            stack.push(function(look.to_string()));
            let position = samples.place(&stack[look % STACK_FUNCTIONS..], false);
            let cpu_ns = u64::MAX / looks as u64;
            samples.count(position, SampleCount { samples: 1, cpu_ns });
        }
        assert_eq!(samples.total().samples, looks as u64);
        assert!(samples.elsewhere().samples > 0);
        assert!(
            samples
                .stacks()
                .all(|stack| stack.functions.len() <= STACK_FUNCTIONS)
        );
        let mut frame = Vec::new();
        let samples = Box::new(samples);
        encode(
            &FromRunner::Samples {
                id: u64::MAX,
                samples,
            },
            &mut frame,
        )
        .unwrap();
        assert!(frame.len() <= MAX_BYTES);
        assert!(decode::<FromRunner>(&frame).is_ok());
    }

    #[test]
    fn bounds_that_are_all_reached_at_once_fit_a_frame() {
        let line = Some(u32::MAX);
        let name = "n".repeat(NAMES_BYTES / FUNCTIONS / 2);
        let named = Frame {
            function: Some(name.clone()),
            file: Some(name),
            line,
        };
        let most = u64::MAX;
        let count = SampleCount {
            samples: most,
            cpu_ns: most,
        };
        let stack = CountedStack {
            functions: vec![1023; STACK_FUNCTIONS],
            is_cut: true,
            count,
        };
        let samples = Box::new(Samples {
            period_ns: most,
            functions: vec![named; FUNCTIONS],
            stacks: vec![stack; STACKS],
            elsewhere: count,
        });
        let mut frame = Vec::new();
        encode(&FromRunner::Samples { id: most, samples }, &mut frame).unwrap();
    }

    #[test]
    fn a_stack_that_is_too_deep_keeps_its_inner_end_and_says_so() {
        let mut samples = Samples::every(PERIOD);
        let stack: Vec<Frame> = (0..40).map(|depth| function(format!("f{depth}"))).collect();
        found(&mut samples, &stack);
        let kept = samples.stacks().next().unwrap();
        assert!(kept.is_cut);
        assert_eq!(kept.functions.last(), Some(&&function("f39")));
        assert_eq!(kept.functions.len(), STACK_FUNCTIONS);
    }

    #[test]
    fn a_claim_that_contradicts_itself_is_none_and_names_are_escaped() {
        let mut honest = Samples::every(PERIOD);
        found(
            &mut honest,
            &[function("\x1b[2J"), function("y".repeat(4096))],
        );
        let clean = honest.clone().claimed(SAMPLING_TICK).unwrap();
        let names: Vec<&str> = clean
            .functions
            .iter()
            .filter_map(|function| function.function.as_deref())
            .collect();
        assert_eq!(names[0], "\\u{1b}[2J");
        assert!(names[1].len() <= NAME_BYTES + '…'.len_utf8());
        assert_eq!(clean.period(), SAMPLING_TICK, "what was asked for");
        for lie in [
            |samples: &mut Samples| samples.stacks[0].functions[0] = 2,
            |samples: &mut Samples| samples.stacks[0].functions.clear(),
            |samples: &mut Samples| {
                samples.stacks[0].count.samples = u64::MAX;
                samples.elsewhere.samples = 1;
            },
            |samples: &mut Samples| {
                samples.stacks[0].count.cpu_ns = u64::MAX;
                samples.elsewhere.cpu_ns = 1;
            },
        ] {
            let mut samples = honest.clone();
            lie(&mut samples);
            assert_eq!(samples.claimed(PERIOD), None);
        }
    }
}
