//! What a launch has taken and shown so far. Every stage adds to it, so that the report of a launch has all of
//! it, wherever the launch ended.

use crate::isolation::{Evidence, Ran, WorkResult};
use hotcell_model::job::{RunEnd, Source};
use hotcell_model::outcome::Outcome;
use hotcell_model::report::{CacheOutcome, Compilation, Timings};

/// Time, compile processes' costs, and what was seen of workers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spent {
    pub(crate) timings: Timings,
    pub(crate) evidence: Evidence,
    /// The size of the artifact that was made.
    pub(crate) artifact_bytes: u64,
    /// CPU time of this process's own threads: reading, hashing, delivering; in one process, of all the rest too.
    pub(crate) host_cpu_ns: u64,
}

impl Spent {
    /// Adds what a compile process's work took, whatever came of it.
    pub(crate) fn charge<T>(&mut self, worked: WorkResult<T>) -> Result<T, Outcome> {
        if worked.is_remembered {
            self.timings.cache = Some(CacheOutcome::FailedBefore);
        }
        if let Some(cost) = worked.cost {
            self.add_compilation(&cost);
        }
        self.evidence.add(worked.evidence);
        worked.result
    }

    /// Adds a run, and returns what it ended with.
    pub(crate) fn add_run(&mut self, ran: Ran) -> RunEnd<Source> {
        let mut end = ran.end;
        self.evidence.add(ran.evidence);
        let run = std::mem::take(&mut end.timings);
        let so_far = std::mem::take(&mut self.timings);
        self.timings = Timings {
            instantiate_ns: run.instantiate_ns,
            call_ns: run.call_ns,
            body_ns: run.body_ns,
            // A runner that had to be started for this launch loads too.
            load_ns: so_far.load_ns.saturating_add(run.load_ns),
            ..so_far
        };
        end
    }

    /// A launch may describe in one process and compile in another: times add up, of memory the most counts.
    fn add_compilation(&mut self, cost: &Compilation) {
        let so_far = self.timings.compilation.take().unwrap_or_default();
        self.timings.compilation = Some(Compilation {
            describe_ns: so_far.describe_ns.saturating_add(cost.describe_ns),
            setup_ns: so_far.setup_ns.saturating_add(cost.setup_ns),
            compile_ns: so_far.compile_ns.saturating_add(cost.compile_ns),
            cpu_ns: so_far.cpu_ns.saturating_add(cost.cpu_ns),
            peak_memory_bytes: so_far.peak_memory_bytes.max(cost.peak_memory_bytes),
            disk_read_bytes: so_far.disk_read_bytes.saturating_add(cost.disk_read_bytes),
            disk_written_bytes: so_far
                .disk_written_bytes
                .saturating_add(cost.disk_written_bytes),
            processes: so_far.processes.saturating_add(cost.processes),
            // What it was about is known when all is over.
            ..Compilation::default()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hotcell_model::outcome::{Blame, OutcomeKind};

    fn worked(result: Result<(), Outcome>, cpu: u64, peak: u64) -> WorkResult<()> {
        WorkResult {
            cost: Some(Compilation {
                cpu_ns: cpu,
                peak_memory_bytes: peak,
                ..Compilation::default()
            }),
            ..result.into()
        }
    }

    #[test]
    fn every_process_is_charged_whether_it_succeeded_or_not() {
        let mut spent = Spent::default();
        spent.charge(worked(Ok(()), 5, 100)).unwrap();
        let failed = Outcome::failed(OutcomeKind::Limit, Blame::Guest, "too much");
        assert!(spent.charge(worked(Err(failed), 7, 60)).is_err());
        let cost = spent.timings.compilation.unwrap();
        assert_eq!((cost.cpu_ns, cost.peak_memory_bytes), (12, 100));
    }
}
