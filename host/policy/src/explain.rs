//! What a policy comes to, and by which of its lines: for people who ask why.

use crate::FilePolicy;
use crate::file::Mode;
use hotcell::{Policy, Subject, Terms, resolve_limits};
use hotcell_model::accounts::Allowance;
use hotcell_model::budget::Resource;
use hotcell_model::digest::Digest;
use hotcell_model::grant::{Capability, Grants};
use hotcell_model::limit::{Limit, LimitSource, Unit};
use hotcell_model::manifest::Kernel;
use hotcell_model::profile::Metering;
use hotcell_model::tenant::Tenant;
use serde::Serialize;
use std::collections::BTreeMap;

/// What a tenant's launch of a kernel would have.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// Who would be charged.
    pub tenant: Tenant,
    /// The kernel, if it is about one.
    pub kernel: Option<String>,
    /// The profile that the kernel has.
    pub profile: Option<String>,
    /// Why nothing runs at all; the rest is empty then.
    pub refused: Option<String>,
    /// The capabilities that are granted to whoever wants them.
    pub grants: Grants,
    /// The directories that are given where `files` is granted, with the guest's name, the path, and what may be done.
    pub directories: Vec<String>,
    /// The least metering.
    pub metering: Metering,
    /// The metering of a request that asks for this, or for none, in its words.
    pub metering_in_force: Metering,
    /// Each budget over time: what it counts, its size, its refill and the time of that.
    pub budgets: Vec<ExplainedBudget>,
    /// The most launches that run at once, and that wait for one of those; absent where nothing bounds them.
    pub running: Option<u64>,
    /// The most that wait.
    pub waiting: u64,
    /// Each limit, in the order of `docs/limits.md`.
    pub limits: Vec<ExplainedLimit>,
    /// What is asked for above a ceiling, for which the launch would be refused.
    pub wrong: Vec<String>,
}

/// One budget over time.
#[derive(Clone, Debug, Serialize)]
pub struct ExplainedBudget {
    /// What it counts.
    pub resource: Resource,
    /// The most that it holds, as a person writes it.
    pub size: String,
    /// How much comes back in each period.
    pub refill: String,
    /// The period.
    pub per: String,
}

/// One limit as it would be in force.
#[derive(Clone, Debug, Serialize)]
pub struct ExplainedLimit {
    /// The limit.
    pub limit: &'static str,
    /// Its value, in its unit.
    pub value: u64,
    /// The value as a person writes it.
    pub text: String,
    /// What chose the value: a key of the policy, the manifest, the request, or the built-in default.
    pub from: String,
    /// The most that it can be set to, as a person writes it.
    pub ceiling: String,
    /// What chose the ceiling.
    pub ceiling_from: String,
    /// A value that is observed and stops nothing, with its key.
    pub observed: Option<(String, String)>,
}

impl FilePolicy {
    /// What a tenant would have: for a kernel of a component, or before any is known; with what a request asks for.
    pub fn explain(
        &self,
        tenant: &Tenant,
        kernel: Option<(Digest, &Kernel)>,
        asked: &BTreeMap<Limit, u64>,
        metering: Option<Metering>,
    ) -> Explanation {
        let component = kernel.map(|(digest, _)| digest);
        let kernel = kernel.map(|(_, kernel)| kernel);
        let mut explanation = Explanation {
            tenant: tenant.clone(),
            kernel: kernel.map(|kernel| kernel.name().to_owned()),
            profile: None,
            refused: None,
            grants: Grants::none(),
            directories: Vec::new(),
            metering: Metering::Fast,
            metering_in_force: Metering::default(),
            budgets: Vec::new(),
            running: None,
            waiting: 0,
            limits: Vec::new(),
            wrong: Vec::new(),
        };
        let concerned = match self.concerned(tenant, component, kernel) {
            Ok(concerned) => concerned,
            Err(why) => {
                explanation.refused = Some(why);
                return explanation;
            }
        };
        let terms = self.terms(&Subject {
            tenant,
            component,
            kernel,
        });
        let (limits, wrong) = resolve_limits(kernel, asked, &terms);
        explanation.profile = concerned.profile.map(|(name, _)| name.to_owned());
        explanation.wrong = wrong.iter().map(ToString::to_string).collect();
        match terms.metering(metering) {
            Ok(metering) => explanation.metering_in_force = metering,
            Err(cause) => explanation.wrong.push(cause.to_string()),
        }
        let Allowance {
            budgets,
            running,
            waiting,
        } = terms.allowance;
        (explanation.running, explanation.waiting) = (running, waiting);
        let budgets = budgets.iter().map(|(resource, rate)| ExplainedBudget {
            resource,
            size: resource.unit().format(rate.size()),
            refill: resource.unit().format(rate.refill()),
            per: Unit::Ns.format(rate.per_ns()),
        });
        explanation.budgets = budgets.collect();
        let Terms {
            grants,
            metering,
            ref directories,
            ..
        } = terms;
        (explanation.grants, explanation.metering) = (grants, metering);
        explanation.directories = directories.iter().map(ToString::to_string).collect();
        let key_of = |limit: Limit, source: LimitSource| {
            let parts = concerned.parts().filter(|(_, _, of)| *of == source);
            let set = |part: &crate::file::Part| {
                let rule = part.limits.get(&limit);
                rule.is_some_and(|rule| rule.mode == Mode::Enforce)
            };
            let mut keys = parts.filter(|(_, part, _)| set(part));
            keys.next()
                .map(|(name, ..)| format!("{name}limits.{limit}"))
        };
        for limit in Limit::ALL.iter().copied() {
            let built_in = ("built-in".to_owned(), limit.ceiling());
            let (ceiling_from, ceiling) = concerned
                .parts()
                .filter_map(|(name, part, _)| {
                    let ceiling = part.ceilings.get(&limit)?;
                    Some((format!("{name}ceilings.{limit}"), ceiling.value))
                })
                .fold(
                    built_in,
                    |least, one| if one.1 < least.1 { one } else { least },
                );
            let source = limits.source(limit);
            let from = match source {
                LimitSource::Default => "built-in default".to_owned(),
                LimitSource::Manifest => "manifest".to_owned(),
                LimitSource::Request => "request".to_owned(),
                // A ceiling where no limit is set.
                _ => key_of(limit, source).unwrap_or_else(|| ceiling_from.clone()),
            };
            let unit = limit.unit();
            let observed = terms.observed.get(&limit).map(|value| {
                let parts: Vec<_> = concerned.parts().collect();
                let key = parts.iter().rev().find_map(|(name, part, _)| {
                    let rule = part.limits.get(&limit)?;
                    (rule.mode == Mode::Observe).then(|| format!("{name}limits.{limit}"))
                });
                (unit.format(value.value), key.unwrap_or_default())
            });
            explanation.limits.push(ExplainedLimit {
                limit: limit.name(),
                value: limits.get(limit),
                text: unit.format(limits.get(limit)),
                from,
                ceiling: unit.format(ceiling),
                ceiling_from,
                observed,
            });
        }
        explanation
    }

    /// The line that would grant a capability, in words.
    pub fn line_that_grants(
        &self,
        tenant: &Tenant,
        kernel: Option<(Digest, &Kernel)>,
        missing: Capability,
    ) -> Option<String> {
        let subject = Subject {
            tenant,
            component: kernel.map(|(digest, _)| digest),
            kernel: kernel.map(|(_, kernel)| kernel),
        };
        self.remedy(&subject, missing)
    }
}
