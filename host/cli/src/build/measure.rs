//! `hotcell build --measure`: what to do with a kernel's loops, by a launch that its author names.
//!
//! LLVM's unrolling and repeating its loops stand in for each other, and which of them pays is a matter of the kernel and of the
//! machine. So both are tried. What is found is a line for Cargo.toml and changes nothing by itself: a build depends on
//! its source, not on what else a machine had to do.

use crate::exit::CommandError;
use crate::hint::explain;
use crate::run::{RunCommand, human};
use crate::say::note;
use anyhow::{Result, anyhow};
use clap::Parser as _;
use hotcell::outcome::OutcomeKind;
use hotcell::report::Report;
use hotcell::{Cell, Component, Metering, Request};
use hotcell_build::{Loops, Repeat, Unroll};
use std::ffi::OsString;
use std::time::{Duration, Instant};

/// Counts for LLVM that are tried beside the package's own.
const UNROLL: [u32; 3] = [4, 8, 16];
/// Counts of repetition that are tried with each of them.
const REPEAT: [u32; 3] = [1, 4, 8];
/// What all launches may take together, beyond those that there are at least.
const BUDGET: Duration = Duration::from_secs(15);
/// From here on a difference is more than two runs of one component may have.
const PAYS: f64 = 0.95;
/// Within this of the fastest the smallest is chosen: code is compiled before it runs.
const AS_FAST: f64 = 1.02;

/// What is tried: what the package has first, then everything else.
pub(super) fn tried(package: Loops) -> Result<Vec<Loops>> {
    let mut tried = vec![package];
    for unroll in UNROLL {
        for repeat in REPEAT {
            let loops = Loops {
                unroll: Unroll::try_from(unroll)?,
                repeat: Repeat::try_from(repeat)?,
            };
            if loops != package {
                tried.push(loops);
            }
        }
    }
    Ok(tried)
}

/// A component with its loops treated one way, and what its bodies took.
pub(super) struct Candidate {
    loops: Loops,
    component: Component,
    took: Vec<Duration>,
}

impl Candidate {
    pub(super) fn new(loops: Loops, component: Vec<u8>) -> Self {
        Self {
            loops,
            component: Component::new(component),
            took: Vec::new(),
        }
    }

    fn median(&self) -> Duration {
        let mut took = self.took.clone();
        took.sort();
        took.get(took.len() / 2).copied().unwrap_or_default()
    }

    fn best(&self) -> Duration {
        self.took.iter().min().copied().unwrap_or_default()
    }

    fn bytes(&self) -> usize {
        self.component.bytes().len()
    }
}

/// The launch that is measured: what stands behind `hotcell run KERNEL`.
#[derive(clap::Parser)]
#[command(
    name = "hotcell build --measure --",
    no_binary_name = true,
    disable_help_flag = true
)]
struct Words {
    #[command(flatten)]
    run: RunCommand,
}

/// A launch that can be made again and again.
pub(super) struct Launch {
    cell: Cell,
    request: Request,
}

impl Launch {
    /// Reads the words behind `--`, and the files that they name.
    ///
    /// # Errors
    /// With the exit code: words that are wrong, files that cannot be read.
    pub(super) fn prepare(words: &[OsString]) -> Result<Self> {
        // The kernel is given by what was built.
        let words = [OsString::from("KERNEL")].into_iter().chain(words.to_vec());
        let words = Words::try_parse_from(words)
            .map_err(|error| CommandError::of(OutcomeKind::Usage, error))?;
        let (cell, request) = words.run.prepare()?;
        Ok(Self { cell, request })
    }

    /// Measures the candidates, of which the first is what the package has, and says what pays.
    ///
    /// # Errors
    /// With the exit code: a launch that is not done.
    pub(super) fn measure(&self, mut candidates: Vec<Candidate>) -> Result<()> {
        let metering = self.run_all(&mut candidates)?;
        let rounds = candidates[0].took.len();
        note(format_args!(
            "the body in `{metering}` on one thread, medians of {rounds} in turns:"
        ))?;
        let package = candidates[0].median();
        for candidate in &candidates {
            note(line(candidate, package))?;
        }
        note(match paying(&candidates) {
            Some(best) => format!(
                "it pays to have `unroll = {}` and `repeat = {}` under [package.metadata.hotcell] in Cargo.toml",
                best.loops.unroll.count(),
                best.loops.repeat.count()
            ),
            None => {
                "nothing pays: none is 5 % faster than the first, which the package has".to_owned()
            }
        })
    }

    /// Runs every candidate once for warmth and then all in turns; gives the metering that they ran in.
    ///
    /// Each round begins with the candidate behind the one that the last began with, so that each runs behind every other
    /// equally often and finds caches and clock as that one left them.
    fn run_all(&self, candidates: &mut [Candidate]) -> Result<Metering> {
        let mut metering = Metering::Strict;
        for candidate in candidates.iter() {
            self.run(candidate)?;
        }
        let began = Instant::now();
        for candidate in candidates.iter() {
            metering = self.run(candidate)?.metering;
        }
        let fit = BUDGET.as_micros() / began.elapsed().as_micros().max(1);
        let rounds = usize::try_from(fit).unwrap_or(usize::MAX).clamp(7, 51) | 1;
        for round in 0..rounds {
            for turn in 0..candidates.len() {
                let at = (round + turn) % candidates.len();
                let report = self.run(&candidates[at])?;
                let body = Duration::from_nanos(report.timings.body_ns);
                candidates[at].took.push(body);
            }
        }
        Ok(metering)
    }

    /// A launch that must be done.
    fn run(&self, candidate: &Candidate) -> Result<Report> {
        let ended = self.cell.run(&candidate.component, self.request.clone());
        match ended.outcome.kind {
            OutcomeKind::Done => Ok(ended.report),
            kind => {
                let error = anyhow!("{kind}: {}", explain(&ended.outcome));
                Err(CommandError::of(kind, error))
            }
        }
    }
}

/// The candidate that is faster than the package's own, which is the first, by more than runs differ.
fn paying(candidates: &[Candidate]) -> Option<&Candidate> {
    let (package, others) = candidates.split_first()?;
    let is_faster = |own: Duration, other: Duration| other.as_secs_f64() < PAYS * own.as_secs_f64();
    let pays = |other: &&Candidate| {
        is_faster(package.median(), other.median()) && is_faster(package.best(), other.best())
    };
    let paying: Vec<_> = others.iter().filter(pays).collect();
    let fastest = paying.iter().map(|candidate| candidate.median()).min()?;
    let is_as_fast = |candidate: &&Candidate| {
        candidate.median().as_secs_f64() <= AS_FAST * fastest.as_secs_f64()
    };
    let as_fast = paying.into_iter().filter(is_as_fast);
    as_fast.min_by_key(|candidate| candidate.bytes())
}

/// `  unroll  8, repeat 4     1.3 ms   -7 %    41.2 KiB`.
fn line(candidate: &Candidate, package: Duration) -> String {
    let (unroll, repeat) = (
        candidate.loops.unroll.count(),
        candidate.loops.repeat.count(),
    );
    let median = candidate.median();
    let against = 100.0 * (median.as_secs_f64() / package.as_secs_f64() - 1.0);
    let size = super::kibibytes(candidate.bytes());
    format!(
        "  unroll {unroll:>2}, repeat {repeat:>2}  {:>9}  {against:>+5.0} %  {size:>10}",
        human(median)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(unroll: u32, bytes: usize, took_us: &[u64]) -> Candidate {
        let loops = Loops {
            unroll: Unroll::try_from(unroll).unwrap(),
            repeat: Repeat::default(),
        };
        let took = took_us.iter().copied().map(Duration::from_micros);
        Candidate {
            took: took.collect(),
            ..Candidate::new(loops, vec![0; bytes])
        }
    }

    fn chosen(candidates: &[Candidate]) -> Option<u32> {
        Some(paying(candidates)?.loops.unroll.count())
    }

    #[test]
    fn what_is_faster_by_less_than_runs_differ_does_not_pay() {
        let package = || candidate(8, 100, &[1000, 990, 1010]);
        assert_eq!(chosen(&[package()]), None);
        let hardly = candidate(4, 50, &[955, 955, 955]);
        assert_eq!(chosen(&[package(), hardly]), None);
        // One side was disturbed: its best run was no faster.
        let once = candidate(4, 50, &[900, 900, 980]);
        let disturbed = candidate(8, 100, &[1000, 940, 1010]);
        assert_eq!(chosen(&[disturbed, once]), None);
        assert_eq!(chosen(&[package(), candidate(4, 50, &[940; 3])]), Some(4));
    }

    #[test]
    fn of_what_is_as_fast_the_smallest_is_chosen() {
        let candidates = [
            candidate(8, 100, &[1000; 3]),
            candidate(4, 50, &[900; 3]),
            candidate(16, 300, &[800; 3]),
            candidate(32, 200, &[810; 3]),
        ];
        assert_eq!(chosen(&candidates), Some(32));
    }

    #[test]
    fn the_packages_own_is_tried_first_and_once() {
        let loops = |unroll, repeat| Loops {
            unroll: Unroll::try_from(unroll).unwrap(),
            repeat: Repeat::try_from(repeat).unwrap(),
        };
        for (own, count) in [(loops(8, 4), 9), (loops(10, 1), 10)] {
            let tried = tried(own).unwrap();
            assert_eq!((tried[0], tried.len()), (own, count));
            assert_eq!(tried.iter().filter(|loops| **loops == own).count(), 1);
        }
    }
}
