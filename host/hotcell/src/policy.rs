//! What a cell grants, and how much of it: the seam where an operator's policy goes.
//!
//! A request states wants; what of them is granted, and within which ceilings, is decided here and nowhere else. A policy
//! that is read from a file is the crate `hotcell-policy`.

use crate::files::Directory;
use hotcell_model::accounts::Allowance;
use hotcell_model::digest::Digest;
use hotcell_model::grant::{Capability, Grants};
use hotcell_model::limit::{Ceilings, Limit, LimitSource, Limits};
use hotcell_model::manifest::Kernel;
use hotcell_model::outcome::Cause;
use hotcell_model::profile::Metering;
use hotcell_model::tenant::Tenant;
use std::collections::BTreeMap;

/// Decides what somebody may have of a cell.
pub trait Policy: Send + Sync {
    /// The terms for that. Asked before a component is looked at, and again once its kernel is known: the terms of a
    /// kernel are never wider than those without.
    fn terms(&self, subject: &Subject<'_>) -> Terms;

    /// A digest of the policy as it was read, for records. `None` where it was not read from anywhere.
    fn digest(&self) -> Option<Digest> {
        None
    }

    /// What the operator would have to write for a capability to be granted, in words that follow a refusal. `None` where
    /// there is nothing to write.
    fn remedy(&self, _subject: &Subject<'_>, _missing: Capability) -> Option<String> {
        None
    }
}

/// Whom and what terms are for.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Who is charged.
    pub tenant: &'a Tenant,
    /// The component's digest; absent if its file could not be read.
    pub component: Option<Digest>,
    /// The kernel, once it is known.
    pub kernel: Option<&'a Kernel>,
}

/// What somebody may have of a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The capabilities that are granted to those who want them.
    pub grants: Grants,
    /// Limits in place of the built-in defaults; what a manifest asks for goes before them.
    pub defaults: BTreeMap<Limit, u64>,
    /// Limits in place of defaults and of what a manifest asks for.
    pub limits: BTreeMap<Limit, TermLimit>,
    /// The most that anything above or a request can set each limit to.
    pub ceilings: Ceilings,
    /// Values that limits could have and do not: what would have been refused or stopped by them is in the report.
    pub observed: BTreeMap<Limit, TermLimit>,
    /// The least metering; what a request has that asks for none, if it is more than `strict`.
    pub metering: Metering,
    /// What the tenant may take over time and at once: kept by the cell's [`Accounts`](hotcell_model::accounts::Accounts).
    pub allowance: Allowance,
    /// The directories that kernels are given which are granted `files`.
    pub directories: Vec<Directory>,
    /// Whether functions may be called in guarded processes.
    pub guarded: bool,
    /// Why nothing is to run at all.
    pub refused: Option<String>,
}

/// A limit that a policy sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TermLimit {
    /// Its value, in the limit's unit.
    pub value: u64,
    /// For whom the policy sets it: everybody, a profile or a tenant.
    pub source: LimitSource,
}

impl From<u64> for TermLimit {
    /// A limit for everybody.
    fn from(value: u64) -> Self {
        let source = LimitSource::Policy;
        Self { value, source }
    }
}

impl Default for Terms {
    /// The built-in policy: `log` and `control`, default limits, built-in ceilings, any metering.
    fn default() -> Self {
        Self {
            grants: Grants::built_in(),
            defaults: BTreeMap::new(),
            limits: BTreeMap::new(),
            ceilings: Ceilings::default(),
            observed: BTreeMap::new(),
            metering: Metering::Fast,
            allowance: Allowance::default(),
            directories: Vec::new(),
            guarded: true,
            refused: None,
        }
    }
}

impl Terms {
    /// The same, with every capability that there is.
    #[must_use]
    pub fn with_all_grants(self) -> Self {
        let grants = Grants::all();
        Self { grants, ..self }
    }

    /// Terms under which nothing runs, and why.
    pub fn refusing(why: impl Into<String>) -> Self {
        Self {
            grants: Grants::none(),
            refused: Some(why.into()),
            ..Self::default()
        }
    }

    /// The observed values that a launch would have if they were enforced: a manifest or a request may go before them.
    pub(crate) fn observed(
        &self,
        kernel: Option<&Kernel>,
        asked: &BTreeMap<Limit, u64>,
    ) -> BTreeMap<Limit, u64> {
        if self.observed.is_empty() {
            return BTreeMap::new();
        }
        let mut enforced = self.clone();
        for (limit, rule) in &self.observed {
            match rule.source {
                LimitSource::Policy => {
                    enforced.defaults.insert(*limit, rule.value);
                }
                _ => {
                    enforced.limits.insert(*limit, *rule);
                }
            }
        }
        let (limits, _) = resolve_limits(kernel, asked, &enforced);
        let observed = self.observed.iter();
        let holds = observed.filter(|(limit, rule)| limits.source(**limit) == rule.source);
        holds
            .map(|(limit, _)| (*limit, limits.get(*limit)))
            .collect()
    }

    /// The metering of a request that asks for that, or for none.
    ///
    /// # Errors
    /// It asks for less than the terms have.
    pub fn metering(&self, asked: Option<Metering>) -> Result<Metering, Cause> {
        let least = self.metering;
        match asked {
            None => Ok(least.max(Metering::default())),
            Some(asked) if asked < least => Err(Cause::MeteringTooWeak { asked, least }),
            Some(asked) => Ok(asked),
        }
    }
}

/// The same terms for everybody.
impl Policy for Terms {
    fn terms(&self, _subject: &Subject<'_>) -> Terms {
        self.clone()
    }
}

/// The limits of a launch under those terms, and what is asked for above a ceiling: the built-in defaults for the kernel's
/// weight, over them the policy's defaults, the manifest's, the policy's limits, and the request's.
pub fn resolve_limits(
    kernel: Option<&Kernel>,
    asked: &BTreeMap<Limit, u64>,
    terms: &Terms,
) -> (Limits, Vec<Cause>) {
    let ceilings = &terms.ceilings;
    let mut limits = Limits::defaults(kernel.map(Kernel::weight).unwrap_or_default());
    let put = |limits: &mut Limits, limit: Limit, value: u64, source| {
        // Within the ceiling it always fits.
        let _ = limits.try_set_within(ceilings, limit, value.min(ceilings.get(limit)), source);
    };
    for (limit, value) in &terms.defaults {
        put(&mut limits, *limit, *value, LimitSource::Policy);
    }
    let mut causes = Vec::new();
    if let Some(kernel) = kernel {
        let above = limits.set_by_manifest(kernel, ceilings).into_iter();
        causes.extend(above.map(|limit| Cause::ManifestAboveCeiling {
            entry: kernel.name().to_owned(),
            limit,
        }));
    }
    for (limit, TermLimit { value, source }) in &terms.limits {
        put(&mut limits, *limit, *value, *source);
    }
    limits.cap(ceilings);
    let set = asked.iter().map(|(limit, value)| {
        limits.try_set_within(ceilings, *limit, *value, LimitSource::Request)
    });
    causes.extend(set.filter_map(Result::err).map(Cause::from));
    (limits, causes)
}
