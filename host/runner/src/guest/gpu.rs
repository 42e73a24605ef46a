//! The GPU as a guest sees it: `hotcell:gpu/compute` and `text`, translated to commands of the launch's session.
//!
//! `host` registers the functions with the types of `types`; each one charges the call, checks and charges every
//! size, and asks over the launch's `line`. `batch` turns a guest's commands into steps, cut into frames where the
//! session is in another process, and `landing` brings what they read into its arrays. The session checks all
//! of it again: nothing here is what keeps a device safe.

mod batch;
#[cfg(feature = "worker")]
mod channel;
mod fault;
mod handles;
mod host;
mod landing;
mod line;
mod pieces;
mod program;
mod transfer;
mod types;

#[cfg(test)]
mod fake;

#[cfg(feature = "worker")]
pub(crate) use channel::GpuChannel;
pub(crate) use host::{link, link_text};
pub(crate) use line::Line;

use crate::stop::Stop;
use fault::{GpuCallFailure, broken};
use hotcell_model::limit::Breach;
use std::sync::Arc;

/// One instance's access to its launch's GPU session.
pub(crate) struct GpuAccess {
    line: Option<Arc<Line>>,
    denied: Option<Breach>,
}

impl GpuAccess {
    pub(crate) fn new(line: Option<Arc<Line>>) -> Self {
        Self { line, denied: None }
    }

    /// A limit that refused GPU work, where nothing was granted since: a guest that gives up afterwards gave up
    /// because of it.
    pub(crate) fn denied(&self) -> Option<Breach> {
        self.denied
    }

    fn line(&self) -> Result<Arc<Line>, Stop> {
        let line = self.line.as_ref().map(Arc::clone);
        line.ok_or_else(|| broken("the launch was given no GPU"))
    }

    /// Notes how a call of the guest's ended.
    fn note<T>(&mut self, result: &Result<T, GpuCallFailure>) {
        match result {
            Ok(_) => self.denied = None,
            Err(failure) => self.denied = failure.breach().or(self.denied),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hotcell_model::gpu::GpuError;
    use hotcell_model::limit::Limit;
    use hotcell_model::outcome::{Blame, Outcome, OutcomeKind};

    fn refused(limit: Limit) -> Result<(), GpuCallFailure> {
        let (requested, maximum) = (2, 1);
        Err(GpuCallFailure::Refused(GpuError::Limit {
            limit,
            requested,
            maximum,
        }))
    }

    #[test]
    fn a_refusal_is_remembered_until_something_is_granted() {
        let mut access = GpuAccess::new(None);
        access.note(&refused(Limit::GpuBytes));
        access.note::<()>(&Err(fault::misuse("nonsense")));
        let breach = access.denied().unwrap();
        let outcome = Outcome::breached(breach);
        assert_eq!(outcome.kind, OutcomeKind::GpuLimit);
        assert_eq!(
            outcome.message,
            "limit gpu_bytes: 2B requested, at most 1B allowed"
        );
        access.note(&refused(Limit::Handles));
        assert_eq!(
            Outcome::breached(access.denied().unwrap()).kind,
            OutcomeKind::Limit
        );
        access.note(&Ok(()));
        assert_eq!(access.denied(), None);
    }

    #[test]
    fn a_launch_without_a_session_is_the_hosts_fault() {
        let Err(Stop::Gpu(outcome)) = GpuAccess::new(None).line() else {
            panic!("a line from nowhere");
        };
        assert_eq!(outcome.kind, OutcomeKind::GpuLost);
        assert_eq!(outcome.blame, Some(Blame::Host));
    }

    #[test]
    fn every_limit_of_the_gpu_ends_as_one() {
        for limit in Limit::ALL.iter().copied() {
            let breach = refused(limit).unwrap_err().breach().unwrap();
            let is_gpu = Outcome::breached(breach).kind == OutcomeKind::GpuLimit;
            assert_eq!(is_gpu, limit.name().starts_with("gpu_"), "{limit}");
        }
    }
}
