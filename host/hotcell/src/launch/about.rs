//! What is known of something that was asked for, whether or not it may be done: what every report begins with.

use crate::cell::Cell;
use crate::component::Component;
use crate::isolation::{Evidence, Order};
use crate::launch::observed::{Seen, would_stop};
use crate::launch::spent::Spent;
use crate::policy::{Subject, Terms, resolve_limits};
use crate::request::{Digests, Request};
use hotcell_model::accounts::Allowance;
use hotcell_model::analysis::Foretold;
use hotcell_model::caller::Caller;
use hotcell_model::component::Description;
use hotcell_model::digest::{Digest, RunId};
use hotcell_model::forecast::Warning;
use hotcell_model::grant::{Grants, Wants};
use hotcell_model::job::{RunEnd, Source};
use hotcell_model::layer::Tier;
use hotcell_model::limit::{Limit, Limits};
use hotcell_model::manifest::{Kernel, ScalarValue};
use hotcell_model::outcome::{Cause, Outcome};
use hotcell_model::profile::{Isolation, Metering};
use hotcell_model::report::{ComponentReport, Report, SCHEMA};
use hotcell_model::stop::StopSignal;
use hotcell_model::tenant::Tenant;
use hotcell_model::text;
use hotcell_model::time::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

/// What was asked for, what was granted, and what it has taken so far.
#[derive(Clone)]
pub(crate) struct About {
    pub(crate) run_id: RunId,
    pub(crate) started: Timestamp,
    pub(crate) component: ComponentReport,
    pub(crate) policy: Option<Digest>,
    pub(crate) tenant: Tenant,
    pub(crate) caller: Caller,
    pub(crate) metering: Metering,
    pub(crate) wants: Wants,
    pub(crate) grants: Grants,
    pub(crate) seed: Option<u64>,
    pub(crate) limits: Limits,
    pub(crate) isolation: Isolation,
    pub(crate) digests: Digests,
    /// What the component counts, once it is described.
    pub(crate) described: Option<Arc<Description>>,
    /// What the kernel's code says that the launch takes, once the shapes are known.
    pub(crate) foretold: Option<Foretold>,
    /// Limits that it is expected to reach.
    pub(crate) warnings: Vec<Warning>,
    /// Every dimension, once it is known.
    pub(crate) dims: BTreeMap<String, u64>,
    /// Every scalar, once it is known.
    pub(crate) scalars: BTreeMap<String, ScalarValue>,
    /// Values that limits could have, by the policy.
    pub(crate) observed: BTreeMap<Limit, u64>,
    /// What the tenant may take over time and at once, by the policy.
    pub(crate) allowance: Allowance,
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

    /// Says of a compilation what it was about, which its costs are held against.
    fn conclude_compilation(&mut self) {
        let Some(cost) = &mut self.spent.timings.compilation else {
            return;
        };
        cost.artifact_bytes = self.spent.artifact_bytes;
        if let Some(described) = &self.described {
            cost.component_bytes = described.counts.component_bytes;
            cost.code_bytes = described.counts.code_bytes;
        }
    }

    /// The report of it, without arguments and results.
    pub(crate) fn report(mut self, end: &RunEnd<Source>, required: Option<Tier>) -> Report {
        self.conclude_compilation();
        let walls = self.spent.evidence.walls(required);
        let seen = Seen {
            usage: &end.usage,
            timings: &self.spent.timings,
            counts: self.described.as_ref().map(|described| &described.counts),
        };
        let observed = would_stop(&self.observed, &seen);
        let Evidence { alerts, device, .. } = self.spent.evidence;
        Report {
            schema: SCHEMA,
            run_id: self.run_id,
            tenant: self.tenant,
            caller: self.caller,
            started: self.started,
            host: concat!("hotcell ", env!("CARGO_PKG_VERSION")).to_owned(),
            policy: self.policy,
            component: self.component,
            arguments: Vec::new(),
            scalars: self.scalars,
            dims: self.dims,
            results: Vec::new(),
            outcome: end.outcome.clone(),
            outputs: None,
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
            observed,
            foretold: self.foretold,
            warnings: self.warnings,
            jit: Vec::new(),
            log: end.log.clone(),
        }
    }
}

impl Cell {
    pub(crate) fn about(&self, component: &Component, request: &Request) -> About {
        let mut about = About {
            run_id: request.run_id.unwrap_or_else(new_run_id),
            started: SystemTime::now().into(),
            component: ComponentReport {
                digest: Some(component.digest()),
                artifact: None,
                path: component.path().map(|path| path.display().to_string()),
                name: String::new(),
                entry: request.entry.as_deref().map(shown).unwrap_or_default(),
            },
            policy: self.inner.policy.digest(),
            tenant: request.tenant.clone(),
            caller: request.caller,
            metering: request.metering.unwrap_or_default(),
            wants: request.wants.clone(),
            grants: Grants::none(),
            seed: request.seed,
            limits: Limits::defaults(Default::default()),
            isolation: self.isolation(),
            digests: request.digests,
            described: None,
            foretold: None,
            warnings: Vec::new(),
            dims: BTreeMap::new(),
            scalars: BTreeMap::new(),
            observed: BTreeMap::new(),
            allowance: Allowance::default(),
            spent: Spent::default(),
        };
        let terms = self.terms(&about, None);
        about.grants = about.wants.granted_by(&terms.grants);
        // Where it asks for less than there has to be, its own refusal says so.
        about.metering = terms.metering(request.metering).unwrap_or(about.metering);
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

    /// What is known of a request before its kernel is: its metering and limits, by the terms for its tenant.
    pub(crate) fn request_terms(
        &self,
        about: &mut About,
        request: &Request,
    ) -> Result<(), Outcome> {
        let terms = self.terms(about, None);
        let (limits, mut causes) = resolve_limits(None, &request.limits, &terms);
        causes.extend(about.take_terms(&terms, None, request));
        about.allowance = terms.allowance;
        match causes.is_empty() {
            true => {
                about.limits = limits;
                Ok(())
            }
            false => Err(Outcome::because(causes)),
        }
    }
}

impl About {
    /// Takes over what terms say besides grants and limits; returns what is wrong by them.
    pub(crate) fn take_terms(
        &mut self,
        terms: &Terms,
        kernel: Option<&Kernel>,
        request: &Request,
    ) -> Vec<Cause> {
        self.observed = terms.observed(kernel, &request.limits);
        let refused = terms.refused.clone().map(|why| Cause::Refused { why });
        let metering = match terms.metering(request.metering) {
            Ok(metering) => {
                self.metering = metering;
                None
            }
            Err(cause) => Some(cause),
        };
        refused.into_iter().chain(metering).collect()
    }
}

/// A name from elsewhere, fit for a message.
pub(crate) fn shown(name: &str) -> String {
    text::escape(name, 256)
}

/// A fresh id for a launch.
pub fn new_run_id() -> RunId {
    let mut bytes = [0; 16];
    let flags = rustix::rand::GetRandomFlags::empty();
    // Sixteen bytes are never cut short once the kernel's pool is ready, which the call waits for.
    let _ = rustix::rand::getrandom(&mut bytes[..], flags);
    RunId::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hotcell_model::limit::{Ceilings, LimitSource};

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
            limits: [(Limit::Fuel, 500.into()), (Limit::HostCalls, 7.into())].into(),
            ceilings,
            ..Terms::default()
        };
        let resolve = |request: Request| resolve_limits(None, &request.limits, &terms);
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
