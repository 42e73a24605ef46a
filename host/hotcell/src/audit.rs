//! The audit trail: a record is begun before a byte of what may be hostile is read, and every record that was begun
//! is finished, a panic of the host included.

use crate::cell::Cell;
use crate::isolation::not_run;
use crate::launch::Ended;
use crate::permit::About;
use crate::settle::report;
use hotcell_model::digest::{Digest, RunId};
use hotcell_model::grant::Grants;
use hotcell_model::job::Finished;
use hotcell_model::outcome::{Blame, Outcome, OutcomeKind};
use hotcell_model::profile::{Isolation, Metering};
use hotcell_model::report::Report;
use hotcell_model::tenant::Tenant;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::SystemTime;

/// Records what was asked of a cell and how it ended.
pub trait Audit: Send + Sync {
    /// Something was asked for, and nothing of it was looked at yet.
    ///
    /// # Errors
    /// The record could not be made: nothing is done, and the record is not finished.
    fn begin(&self, begun: &Begun) -> std::io::Result<()>;

    /// What was begun has ended. Called exactly once for each record that `begin` has made, after outputs were
    /// delivered: what the report says is how it ended.
    fn finish(&self, begun: &Begun, report: &Report);
}

/// What is known when a record begins.
#[derive(Clone, Debug)]
pub struct Begun {
    /// The record's id, and the report's.
    pub run_id: RunId,
    /// What was asked for.
    pub verb: Verb,
    /// Who is charged for it.
    pub tenant: Tenant,
    /// The component's digest; absent if its file could not be read.
    pub component: Option<Digest>,
    /// Where the component was read from, as it was given.
    pub path: Option<String>,
    /// The entry that was named, escaped; empty if none was.
    pub entry: String,
    /// What keeps the work apart from the host.
    pub isolation: Isolation,
    /// The metering mode.
    pub metering: Metering,
    /// What is granted.
    pub grants: Grants,
    /// When it began.
    pub started: SystemTime,
}

/// What can be asked of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Reading a component without running it.
    Describe,
    /// Compiling a component ahead of its first launch.
    Compile,
    /// Running a kernel.
    Launch,
    /// Having workers try to break out.
    Diagnose,
}

/// Records nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoAudit;

impl Audit for NoAudit {
    fn begin(&self, _begun: &Begun) -> std::io::Result<()> {
        Ok(())
    }

    fn finish(&self, _begun: &Begun, _report: &Report) {}
}

/// Something that was asked for, from the beginning of its record to the end of it. Dropped on the way, the record
/// is finished all the same.
pub(crate) struct Attempt {
    pub(crate) about: About,
    cell: Cell,
    begun: Begun,
    is_finished: bool,
}

impl Attempt {
    /// Begins a record.
    ///
    /// # Errors
    /// The sink has none: the attempt ends here.
    pub(crate) fn begin(cell: &Cell, verb: Verb, about: About) -> Result<Self, Box<Ended>> {
        let begun = Begun {
            run_id: about.run_id,
            verb,
            tenant: about.tenant.clone(),
            component: about.component.digest,
            path: about.component.path.clone(),
            entry: about.component.entry.clone(),
            isolation: about.isolation,
            metering: about.metering,
            grants: about.grants.clone(),
            started: SystemTime::now(),
        };
        if let Err(error) = cell.inner.audit.begin(&begun) {
            let message = format!("no audit record could be made: {error}");
            let outcome = Outcome::failed(OutcomeKind::HostFault, Blame::Operator, message);
            return Err(Box::new(ended(cell, about, not_run(outcome))));
        }
        Ok(Self {
            about,
            cell: cell.clone(),
            begun,
            is_finished: false,
        })
    }

    /// Ends before anything ran.
    pub(crate) fn refuse(self, outcome: Outcome) -> Ended {
        self.end(not_run(outcome), |_| {})
    }

    /// Ends with the report of `finished`, to which `complete` adds what only the caller knows.
    pub(crate) fn end(mut self, finished: Finished, complete: impl FnOnce(&mut Ended)) -> Ended {
        let mut ended = ended(&self.cell, self.about.clone(), finished);
        complete(&mut ended);
        self.finish(&ended.report);
        ended
    }

    fn finish(&mut self, report: &Report) {
        self.is_finished = true;
        let audit = &self.cell.inner.audit;
        // A sink that panics loses its own record, and not the launch's outcome.
        let _ = catch_unwind(AssertUnwindSafe(|| audit.finish(&self.begun, report)));
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if self.is_finished {
            return;
        }
        let outcome = match std::thread::panicking() {
            true => host_panicked(),
            false => {
                let message = "given up before it ran";
                Outcome::failed(OutcomeKind::Cancelled, Blame::Request, message)
            }
        };
        let ended = ended(&self.cell, self.about.clone(), not_run(outcome));
        self.finish(&ended.report);
    }
}

fn ended(cell: &Cell, about: About, finished: Finished) -> Ended {
    let required = cell.inner.isolation.required_tier();
    Ended {
        report: report(about, &finished, required),
        outcome: finished.outcome,
        results: Vec::new(),
    }
}

/// Does a part of what was asked for; a panic of the host is an outcome like others, and the caller lives on.
pub(crate) fn caught<T>(part: impl FnOnce() -> Result<T, Outcome>) -> Result<T, Outcome> {
    catch_unwind(AssertUnwindSafe(part)).unwrap_or_else(|_| Err(host_panicked()))
}

fn host_panicked() -> Outcome {
    let message = "the host panicked; please report it, with the component";
    Outcome::failed(OutcomeKind::HostFault, Blame::Host, message)
}
