//! What is known of something that was asked for, whether or not it may be done: what every report begins with.

use crate::cell::Cell;
use crate::component::Component;
use crate::isolation::{Evidence, Order};
use crate::launch::spent::Spent;
use crate::policy::{Subject, Terms};
use crate::request::{Digests, Request};
use hotcell_model::digest::RunId;
use hotcell_model::grant::{Grants, Wants};
use hotcell_model::job::{RunEnd, Source};
use hotcell_model::layer::Tier;
use hotcell_model::limit::{LimitSource, Limits};
use hotcell_model::manifest::Kernel;
use hotcell_model::outcome::{Cause, Outcome};
use hotcell_model::profile::{Isolation, Metering};
use hotcell_model::report::{ComponentReport, Report, SCHEMA};
use hotcell_model::stop::StopSignal;
use hotcell_model::tenant::Tenant;
use hotcell_model::text;
use hotcell_model::time::Timestamp;
use std::time::SystemTime;

/// What was asked for, what was granted, and what it has taken so far.
#[derive(Clone)]
pub(crate) struct About {
    pub(crate) run_id: RunId,
    pub(crate) started: Timestamp,
    pub(crate) component: ComponentReport,
    pub(crate) tenant: Tenant,
    pub(crate) metering: Metering,
    pub(crate) wants: Wants,
    pub(crate) grants: Grants,
    pub(crate) seed: Option<u64>,
    pub(crate) limits: Limits,
    pub(crate) isolation: Isolation,
    pub(crate) digests: Digests,
    pub(crate) spent: Spent,
}

impl About {
    /// The launch's part in work that is done for it.
    pub(crate) fn order<'a>(&'a self, stop: &'a StopSignal) -> Order<'a> {
        Order {
            tenant: &self.tenant,
            limits: &self.limits,
            stop,
        }
    }

    /// The report of it, without arguments and results.
    pub(crate) fn report(self, end: &RunEnd<Source>, required: Option<Tier>) -> Report {
        let walls = self.spent.evidence.walls(required);
        let Evidence { alerts, device, .. } = self.spent.evidence;
        Report {
            schema: SCHEMA,
            run_id: self.run_id,
            tenant: self.tenant,
            started: self.started,
            host: concat!("hotcell ", env!("CARGO_PKG_VERSION")).to_owned(),
            component: self.component,
            arguments: Vec::new(),
            scalars: Default::default(),
            dims: Default::default(),
            results: Vec::new(),
            outcome: end.outcome.clone(),
            usage: end.usage.clone(),
            timings: self.spent.timings,
            limits: self.limits.to_report(),
            grants: self.grants,
            metering: self.metering,
            seed: self.seed,
            isolation: self.isolation,
            device,
            walls,
            alerts,
            log: end.log.clone(),
        }
    }
}

impl Cell {
    pub(crate) fn about(&self, component: &Component, request: &Request) -> About {
        let mut about = About {
            run_id: new_run_id(),
            started: SystemTime::now().into(),
            component: ComponentReport {
                digest: Some(component.digest()),
                path: component.path().map(|path| path.display().to_string()),
                name: String::new(),
                entry: request.entry.as_deref().map(shown).unwrap_or_default(),
            },
            tenant: request.tenant.clone(),
            metering: request.metering,
            wants: request.wants.clone(),
            grants: Grants::none(),
            seed: request.seed,
            limits: Limits::defaults(Default::default()),
            isolation: self.isolation(),
            digests: request.digests,
            spent: Spent::default(),
        };
        about.grants = about.wants.granted_by(&self.terms(&about, None).grants);
        about
    }

    /// What the cell's policy allows.
    pub(crate) fn terms(&self, about: &About, kernel: Option<&Kernel>) -> Terms {
        self.inner.policy.terms(&Subject {
            tenant: &about.tenant,
            component: about.component.digest,
            kernel,
        })
    }

    /// The limits of a request alone, for what happens before its kernel is known.
    pub(crate) fn request_limits(
        &self,
        about: &About,
        request: &Request,
    ) -> Result<Limits, Outcome> {
        let mut limits = Limits::defaults(Default::default());
        let causes = limit_by_policy(&mut limits, request, &self.terms(about, None));
        match causes.is_empty() {
            true => Ok(limits),
            false => Err(Outcome::because(causes)),
        }
    }
}

/// Puts the policy's limits, and over them the request's, in the place of others; what is above a ceiling is told.
pub(crate) fn limit_by_policy(limits: &mut Limits, request: &Request, terms: &Terms) -> Vec<Cause> {
    let ceilings = &terms.ceilings;
    for (limit, value) in &terms.limits {
        let value = (*value).min(ceilings.get(*limit));
        // Within the ceiling it always fits.
        let _ = limits.try_set_within(ceilings, *limit, value, LimitSource::Policy);
    }
    limits.cap(ceilings);
    let asked = request.limits.iter();
    let set = asked.map(|(limit, value)| {
        limits.try_set_within(ceilings, *limit, *value, LimitSource::Request)
    });
    set.filter_map(Result::err).map(Cause::from).collect()
}

/// A name from elsewhere, fit for a message.
pub(crate) fn shown(name: &str) -> String {
    text::escape(name, 256)
}

/// A fresh id.
fn new_run_id() -> RunId {
    let mut bytes = [0; 16];
    let flags = rustix::rand::GetRandomFlags::empty();
    // Sixteen bytes are never cut short once the kernel's pool is ready, which the call waits for.
    let _ = rustix::rand::getrandom(&mut bytes[..], flags);
    RunId::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hotcell_model::limit::{Ceilings, Limit};

    #[test]
    fn run_ids_differ() {
        assert_ne!(new_run_id(), new_run_id());
    }

    #[test]
    fn a_request_stays_below_the_policys_ceilings_and_all_that_does_not_is_told() {
        let ceilings = Ceilings::default()
            .lower(Limit::Fuel, 1000)
            .lower(Limit::Memory, 1 << 20);
        let terms = Terms {
            limits: [(Limit::Fuel, 500), (Limit::HostCalls, 7)].into(),
            ceilings,
            ..Terms::default()
        };
        let resolve = |request: Request| {
            let mut limits = Limits::defaults(Default::default());
            let causes = limit_by_policy(&mut limits, &request, &terms);
            (limits, causes)
        };
        let (limits, causes) = resolve(Request::new().limit(Limit::HostCalls, 5));
        assert_eq!(causes, []);
        for (limit, value, source) in [
            (Limit::Fuel, 500, LimitSource::Policy),
            (Limit::HostCalls, 5, LimitSource::Request),
            // The default is above the ceiling.
            (Limit::Memory, 1 << 20, LimitSource::Policy),
            (
                Limit::BytesIn,
                limits.get(Limit::BytesIn),
                LimitSource::Default,
            ),
        ] {
            assert_eq!(
                (limits.get(limit), limits.source(limit)),
                (value, source),
                "{limit}"
            );
        }
        let asked = Request::new()
            .limit(Limit::Fuel, 1001)
            .limit(Limit::Memory, 1 << 30);
        let (_, causes) = resolve(asked);
        let outcome = Outcome::because(causes);
        for both in [
            "limit fuel of 1001 is above its ceiling of 1k",
            "memory_bytes of 1GiB",
        ] {
            assert!(outcome.message.contains(both), "{}", outcome.message);
        }
        assert_eq!(outcome.causes.len(), 2);
    }
}
