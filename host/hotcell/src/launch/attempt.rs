//! Something that was asked for, from the beginning of its record in the audit trail to the end of it.

use crate::cell::Cell;
use crate::launch::Ended;
use crate::launch::about::About;
use crate::launch::charge;
use crate::thread_clock::ThreadClock;
use hotcell_model::accounts::Account;
use hotcell_model::audit::{AuditEnd, AuditRecord, Verb};
use hotcell_model::job::{RunEnd, Source};
use hotcell_model::outcome::{Blame, Outcome, OutcomeKind};
use hotcell_model::report::{Alert, AlertKind, Report};
use hotcell_model::stop::StopSignal;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::SystemTime;

/// Something that was asked for, with its record. Dropped on the way, the record is finished all the same.
pub(crate) struct OpenRecord {
    pub(crate) about: About,
    cell: Cell,
    record: AuditRecord,
    /// What it has of its tenant's budgets, once it has begun to take anything.
    account: Option<Box<dyn Account>>,
    is_finished: bool,
}

impl OpenRecord {
    /// Begins a record.
    ///
    /// # Errors
    /// The sink has none: the attempt ends here.
    pub(crate) fn begin(cell: &Cell, verb: Verb, about: About) -> Result<Self, Box<Ended>> {
        let record = AuditRecord {
            run_id: about.run_id,
            verb,
            tenant: about.tenant.clone(),
            caller: about.caller,
            component: about.component.digest,
            policy: about.policy,
            path: about.component.path.clone(),
            entry: about.component.entry.clone(),
            isolation: about.isolation,
            metering: about.metering,
            wants: about.wants.clone(),
            started: about.started,
            end: None,
        };
        if let Err(error) = cell.inner.audit.begin(&record) {
            let message = format!("no audit record could be made: {error}");
            let outcome = Outcome::failed(OutcomeKind::HostFault, Blame::Operator, message);
            return Err(Box::new(ended(cell, about, RunEnd::not_run(outcome))));
        }
        let watch = &cell.inner.watch;
        let _ = catch_unwind(AssertUnwindSafe(|| watch.begun(&record)));
        Ok(Self {
            about,
            cell: cell.clone(),
            record,
            account: None,
            is_finished: false,
        })
    }

    /// Has the tenant's budgets bear it from here on; waits for a place where the policy bounds how many run.
    pub(crate) fn open_account(&mut self, stop: &StopSignal) -> Result<(), Outcome> {
        let accounts = self.cell.inner.accounts.as_deref();
        self.account = charge::open(accounts, &self.about, self.record.verb, stop)?;
        Ok(())
    }

    /// Does a part of it on this thread, whose CPU time is its own; a panic of the host is an outcome like others.
    pub(crate) fn part<T>(
        &mut self,
        part: impl FnOnce(&mut Self) -> Result<T, Outcome>,
    ) -> Result<T, Outcome> {
        let clock = ThreadClock::start();
        let done = caught(|| part(self));
        let spent = &mut self.about.spent;
        spent.host_cpu_ns = spent.host_cpu_ns.saturating_add(clock.elapsed_ns());
        done
    }

    /// Ends before anything ran.
    pub(crate) fn refuse(self, outcome: Outcome) -> Ended {
        self.end(RunEnd::not_run(outcome), |_| {})
    }

    /// Ends with the report of that end, to which `complete` adds what only the caller knows.
    pub(crate) fn end(mut self, end: RunEnd<Source>, complete: impl FnOnce(&mut Ended)) -> Ended {
        let mut ended = ended(&self.cell, self.about.clone(), end);
        complete(&mut ended);
        self.finish(&mut ended.report);
        ended
    }

    fn finish(&mut self, report: &mut Report) {
        self.is_finished = true;
        if let Some(account) = self.account.take() {
            let used = charge::used(&self.about, report, self.record.verb);
            let charged = catch_unwind(AssertUnwindSafe(|| account.charge(&used)));
            if let Ok(Err(message)) = charged {
                let kind = AlertKind::UnwrittenCharge;
                report.alerts.push(Alert { kind, message });
            }
        }
        let watch = &self.cell.inner.watch;
        let watched = catch_unwind(AssertUnwindSafe(|| watch.ended(&self.record, report)));
        report.alerts.extend(watched.unwrap_or_default());
        self.record.end = Some(AuditEnd::of(report, SystemTime::now().into()));
        let audit = &self.cell.inner.audit;
        // A sink that panics loses its own record, and not the launch's outcome.
        let _ = catch_unwind(AssertUnwindSafe(|| audit.finish(&self.record, report)));
    }
}

impl Drop for OpenRecord {
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
        let mut ended = ended(&self.cell, self.about.clone(), RunEnd::not_run(outcome));
        self.finish(&mut ended.report);
    }
}

fn ended(cell: &Cell, about: About, end: RunEnd<Source>) -> Ended {
    let required = cell.inner.isolation.required_tier();
    Ended {
        report: about.report(&end, required),
        outcome: end.outcome,
        results: Vec::new(),
        samples: end.samples,
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
