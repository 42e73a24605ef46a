//! Reading a component without running it, and trying the walls: what is asked of a cell besides launches.

use crate::cell::Cell;
use crate::component::Component;
use crate::isolation::diagnosis::{Diagnosis, GpuDiagnosis};
use crate::isolation::{Order, WorkResult};
use crate::kept::failures::FailureKey;
use crate::launch::about::About;
use crate::launch::attempt::OpenRecord;
use crate::request::Request;
use hotcell_model::analysis::EntryCost;
use hotcell_model::audit::Verb;
use hotcell_model::component::Description;
use hotcell_model::digest::Digest;
use hotcell_model::limit::{Amount, Breach, Limit, Limits};
use hotcell_model::outcome::Outcome;
use hotcell_model::shader::Shader;
use hotcell_model::stop::StopSignal;
use hotcell_model::tenant::Tenant;
use std::sync::Arc;
use std::time::Instant;

impl Cell {
    /// Reads a component without running it, for nobody in particular: the policy is not asked, nor any budget.
    ///
    /// # Errors
    /// It is no kernel component, or more than the limits allow, or nothing here could read it.
    pub fn describe(
        &self,
        component: &Component,
        limits: &Limits,
    ) -> Result<Arc<Description>, Outcome> {
        let about = About {
            limits: limits.clone(),
            ..self.about(component, &Request::new())
        };
        self.recorded(Verb::Describe, about, |attempt| {
            self.described(component, &mut attempt.about, &StopSignal::default())
        })
    }

    /// Reads a component for whom a request names, under the policy's terms and charged to that tenant, and keeps it, so that the
    /// tenant can name it by its digest from then on: [`Cell::component`].
    ///
    /// # Errors
    /// As [`Cell::describe`]; the policy refuses the tenant; or its budgets are spent.
    pub fn describe_for(
        &self,
        component: &Component,
        request: &Request,
    ) -> Result<Arc<Description>, Outcome> {
        let about = self.about(component, request);
        let described = self.recorded(Verb::Describe, about, |attempt| {
            let stop = StopSignal::default();
            self.request_terms(&mut attempt.about, request)?;
            attempt.open_account(&stop)?;
            self.described(component, &mut attempt.about, &stop)
        })?;
        let key = (request.tenant.clone(), component.digest());
        let bytes = component.bytes().len() as u64;
        let kept = Arc::new(component.clone());
        self.inner.components.insert(key, kept, bytes);
        Ok(described)
    }

    /// A component's description, from memory or read now. What it takes is charged to whom it is for.
    pub(crate) fn described(
        &self,
        component: &Component,
        about: &mut About,
        stop: &StopSignal,
    ) -> Result<Arc<Description>, Outcome> {
        let worked = self.describe_now(component, about.order(stop));
        let description = about.spent.charge(worked)?;
        about.described = Some(Arc::clone(&description));
        Ok(description)
    }

    fn describe_now(
        &self,
        component: &Component,
        order: Order<'_>,
    ) -> WorkResult<Arc<Description>> {
        let digest = component.digest();
        let key = (order.tenant.clone(), digest);
        let known = self.inner.descriptions.get(&key);
        let known = known.or_else(|| self.description_on_disk(&key));
        // A description made under wider limits does not speak for these.
        if let Some(known) = known.filter(|known| counts_breach(known, order.limits).is_none()) {
            return Ok(known).into();
        }
        let tried = FailureKey::describing(digest, order.tenant, order.limits);
        if let Some(outcome) = self.inner.failed.find(&tried, Instant::now()) {
            return WorkResult {
                is_remembered: true,
                ..Err(outcome).into()
            };
        }
        let worked = self.inner.isolation.describe(component, order);
        if let Err(outcome) = &worked.result {
            self.inner
                .failed
                .note_described(tried, outcome, Instant::now());
        }
        worked.and_then(|description| {
            let description = Arc::new(description);
            self.keep_description(key, &description);
            Ok(description)
        })
    }

    /// A description that an earlier cell made.
    fn description_on_disk(&self, key: &(Tenant, Digest)) -> Option<Arc<Description>> {
        let cache = self.inner.cache.as_ref().ok()?;
        let description = Arc::new(cache.find_description(&key.0, key.1)?);
        self.keep_description(key.clone(), &description);
        Some(description)
    }

    fn keep_description(&self, key: (Tenant, Digest), description: &Arc<Description>) {
        let (kept, bytes) = (Arc::clone(description), weight(description));
        self.inner.descriptions.insert(key, kept, bytes);
    }

    /// Has real workers of each kind try, after lockdown, what they must not be able to do; `component` is
    /// any kernel, for a runner locks only with an artifact loaded.
    ///
    /// # Errors
    /// The isolation has no walls, or no worker could be brought to the point of trying.
    pub fn doctor(&self, component: &Component) -> Result<Diagnosis, Outcome> {
        let about = self.about(component, &Request::new());
        let diagnose = |_: &mut OpenRecord| self.inner.isolation.diagnose(component);
        self.recorded(Verb::Diagnose, about, diagnose)
    }

    /// As [`Cell::doctor`], for GPU workers: starting each opens the device, which takes a while.
    ///
    /// # Errors
    /// The isolation has no walls, or there is no device.
    pub fn doctor_gpu(&self) -> Result<GpuDiagnosis, Outcome> {
        let mut about = self.about(&Component::new(Vec::new()), &Request::new());
        about.component.digest = None;
        let diagnose = |_: &mut OpenRecord| self.inner.isolation.diagnose_gpu();
        self.recorded(Verb::Diagnose, about, diagnose)
    }
}

/// About what a description takes in memory: its manifest is one of the custom sections, and each import has a name.
fn weight(description: &Description) -> u64 {
    let names = description
        .imports
        .iter()
        .map(|import| 64 + import.name.len() as u64);
    let counts = &description.counts;
    let shaders = description.shaders.iter().map(Shader::weight_bytes);
    let extents = 24 * (counts.memories.len() + counts.tables.len()) as u64;
    let costs = description.costs.iter().map(EntryCost::weight_bytes);
    names.sum::<u64>()
        + shaders.sum::<u64>()
        + costs.sum::<u64>()
        + extents
        + 4 * counts.custom_bytes
}

/// The first of what was counted that is not within `limits`.
pub(crate) fn counts_breach(description: &Description, limits: &Limits) -> Option<Breach> {
    let counts = &description.counts;
    [
        (Limit::ComponentBytes, counts.component_bytes),
        (Limit::Functions, counts.functions),
        (Limit::FunctionBytes, counts.largest_function_bytes),
        (Limit::FunctionLocals, counts.most_locals),
        (Limit::BrTableTargets, counts.most_br_table_targets),
        (Limit::Nesting, counts.deepest_nesting),
        (Limit::Types, counts.types),
        (Limit::Items, counts.items),
    ]
    .into_iter()
    .find_map(|(limit, count)| {
        let maximum = limits.get(limit);
        let amount = Amount::Requested(count);
        (count > maximum).then_some(Breach {
            limit,
            amount,
            maximum,
        })
    })
}
