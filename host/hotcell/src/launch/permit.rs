//! Authorization: from a request to the checked proof that it may run.
//!
//! A [`Permit`] has no public constructor; `authorize` makes one, and the launch consumes it. What is wrong with a
//! request is told all at once, as far as it can be known at once.

use crate::cell::Cell;
use crate::component::Component;
use crate::launch::about::{About, shown};
use crate::launch::attempt::OpenRecord;
use crate::launch::bind::{Bound, bind, check_names, choose};
use crate::launch::describe::counts_breach;
use crate::launch::foretold::{Known, refusal, warnings};
use crate::policy::{Subject, resolve_limits};
use crate::request::Request;
use crate::request::delivery::Consignment;
use crate::request::forecaster::Prospect;
use hotcell_model::analysis::Foretold;
use hotcell_model::array::ArrayType;
use hotcell_model::component::{Description, Import, Need};
use hotcell_model::digest::RunId;
use hotcell_model::forecast::Warning;
use hotcell_model::gpu::NamedShader;
use hotcell_model::grant::{Capability, Determinism, Grants};
use hotcell_model::job::Observer;
use hotcell_model::limit::Limits;
use hotcell_model::manifest::Kernel;
use hotcell_model::outcome::{Blame, Cause, Outcome, OutcomeKind};
use hotcell_model::profile::Metering;
use hotcell_model::shader::Shader;
use hotcell_model::tenant::Tenant;
use std::sync::Arc;

/// The proof that a launch may run, with everything it needs. Dropped unused, it ends its launch as cancelled.
pub struct Permit {
    pub(crate) component: Component,
    pub(crate) bound: Bound,
    /// Its record in the audit trail, which has begun.
    pub(crate) attempt: OpenRecord,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) consignment: Option<Box<dyn Consignment>>,
}

impl Permit {
    /// The launch's id.
    pub fn run_id(&self) -> RunId {
        self.attempt.about.run_id
    }

    /// The tenant it is charged to.
    pub fn tenant(&self) -> &Tenant {
        &self.attempt.about.tenant
    }

    /// The arrays that the launch will write, by name, in the manifest's order.
    pub fn outputs(&self) -> impl Iterator<Item = (&str, &ArrayType)> {
        self.bound.outputs()
    }

    /// The same permit, with another observer.
    #[must_use]
    pub fn observed_by(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = observer;
        self
    }

    /// The capabilities that are granted.
    pub fn grants(&self) -> &Grants {
        &self.attempt.about.grants
    }

    /// The limits in force.
    pub fn limits(&self) -> &Limits {
        &self.attempt.about.limits
    }

    /// What the kernel's code says that the launch takes, where it says anything.
    pub fn foretold(&self) -> Option<&Foretold> {
        self.attempt.about.foretold.as_ref()
    }

    /// Limits that the launch is expected to reach, by the kernel's code or by [what is known](Request::foretold_by) of launches
    /// before it. Whoever would rather not try drops the permit, or [abandons](Cell::abandon) it.
    pub fn warnings(&self) -> &[Warning] {
        &self.attempt.about.warnings
    }
}

impl Cell {
    /// Checks a described component against what is granted, and a request against its manifest. Inputs are read
    /// once nothing is wrong with what is asked for.
    pub(crate) fn check(
        &self,
        description: &Description,
        request: &mut Request,
        about: &mut About,
    ) -> Result<Bound, Outcome> {
        about.component.entry.clear();
        let kernel = choose(&description.manifest, request)
            .map_err(|cause| Outcome::because(vec![cause]))?;
        about.component.entry = kernel.name().to_owned();
        let terms = self.terms(about, Some(kernel));
        let offered = about.wants.granted_by(&terms.grants);
        let mut causes = about.take_terms(&terms, Some(kernel), request);
        causes.extend(self.check_imports(kernel, &description.imports, &offered, request, about));
        // What the entry does not want it is not given: a call of it ends the launch as denied.
        let granted = offered
            .iter()
            .filter(|capability| wants(kernel, *capability));
        // Nor what the metering mode does not have: WASI has it in part without, where an interface of its own is refused.
        let is_had = |capability: &Capability| {
            check_metering(*capability, request, about.metering).is_none()
        };
        about.grants = granted.filter(is_had).collect();
        let known = Known::of(description, kernel);
        about.spent.evidence.alerts.extend(known.alerts());
        let (mut limits, above) = resolve_limits(Some(kernel), &request.limits, &terms);
        known.govern(&mut limits);
        about.limits = limits;
        causes.extend(above);
        // What was described for the tenant is to fit the kernel's own limits too.
        causes.extend(counts_breach(description, &about.limits).map(Cause::Limit));
        causes.extend(check_names(kernel, request));
        if !causes.is_empty() {
            return Err(Outcome::because(causes));
        }
        request.read_inputs()?;
        let mut bound = bind(kernel, request, about.limits.clone())?;
        bound.check_host_memory(&about.limits)?;
        foresee(&known, &bound, request, about)?;
        // What a launch was granted and does not import gets nothing prepared for it.
        let imports = &description.imports;
        let imported = about
            .grants
            .iter()
            .filter(|capability| imports.iter().any(|import| import.brings(*capability)));
        let has_files = !terms.directories.is_empty();
        bound.job.grants = imported
            .filter(|one| *one != Capability::Files || has_files)
            .collect();
        bound.open_files(&terms.directories)?;
        Ok(bound)
    }

    /// As for a launch of each entry, or of the one that is named. What is prepared is so under the strongest metering of
    /// them and the lowest of their limits.
    pub(crate) fn check_entries(
        &self,
        description: &Description,
        request: &Request,
        about: &mut About,
    ) -> Result<(), Outcome> {
        let kernels = description.manifest.kernels().iter();
        let named = request.entry.as_deref();
        let mut causes = Vec::new();
        for kernel in kernels.filter(|kernel| named.is_none_or(|name| name == kernel.name())) {
            let terms = self.terms(about, Some(kernel));
            let metering = about.metering;
            causes.extend(about.take_terms(&terms, Some(kernel), request));
            about.metering = about.metering.max(metering);
            let (limits, above) = resolve_limits(Some(kernel), &request.limits, &terms);
            causes.extend(above);
            causes.extend(counts_breach(description, &limits).map(Cause::Limit));
            about.limits.lower_to(&limits);
            let offered = about.wants.granted_by(&terms.grants);
            causes.extend(self.check_imports(
                kernel,
                &description.imports,
                &offered,
                request,
                about,
            ));
        }
        causes.dedup();
        match causes.is_empty() {
            true => Ok(()),
            false => Err(Outcome::because(causes)),
        }
    }

    /// What is wrong with the imports that an entry wants: all of them must be granted, and be had in the metering mode.
    fn check_imports(
        &self,
        kernel: &Kernel,
        imports: &[Import],
        granted: &Grants,
        request: &Request,
        about: &About,
    ) -> Vec<Cause> {
        let asked = || -> Vec<String> {
            let asked = imports
                .iter()
                .filter(|import| import.needs != Need::Nothing);
            asked
                .take(NAMES_SHOWN)
                .map(|import| shown(&import.name))
                .collect()
        };
        let check = |import: &Import| match import.needs {
            Need::Nothing => None,
            Need::Grant(capability) if !wants(kernel, capability) => None,
            Need::AnotherHost => Some(Cause::NotOffered {
                import: shown(&import.name),
                asked: asked(),
            }),
            Need::Grant(capability) if !granted.has(capability) => Some(Cause::NotGranted {
                capability,
                import: shown(&import.name),
                asked: asked(),
                granted: granted.clone(),
                remedy: self.remedy(about, kernel, capability),
            }),
            Need::Grant(capability) => check_metering(capability, request, about.metering),
        };
        // One for each capability: WASI has many interfaces.
        let mut told = Vec::new();
        let causes = imports.iter().filter(|import| match import.needs {
            Need::Grant(capability) if told.contains(&capability) => false,
            Need::Grant(capability) => {
                told.push(capability);
                true
            }
            Need::Nothing | Need::AnotherHost => true,
        });
        let causes: Vec<Cause> = causes.filter_map(check).collect();
        // Files have no interface of their own: that of WASI is there without any.
        let files = imports
            .iter()
            .filter(|import| import.brings(Capability::Files) && names(kernel, Capability::Files));
        let files = files.filter_map(|import| match granted.has(Capability::Files) {
            true => check_metering(Capability::Files, request, about.metering),
            false => Some(Cause::NotGranted {
                capability: Capability::Files,
                import: shown(&import.name),
                asked: asked(),
                granted: granted.clone(),
                remedy: self.remedy(about, kernel, Capability::Files),
            }),
        });
        causes.into_iter().chain(files).collect()
    }

    /// What would grant a capability to whoever wanted it.
    fn remedy(&self, about: &About, kernel: &Kernel, missing: Capability) -> Option<String> {
        let subject = Subject {
            tenant: &about.tenant,
            component: about.component.digest,
            kernel: Some(kernel),
        };
        self.inner.policy.remedy(&subject, missing)
    }
}

/// Holds what the launch will take against its limits: refuses what is certain to fail, and notes what is to be expected.
fn foresee(
    known: &Known<'_>,
    bound: &Bound,
    request: &Request,
    about: &mut About,
) -> Result<(), Outcome> {
    let (job, metering) = (&bound.job, about.metering);
    about.dims = job.dims.iter().cloned().collect();
    about.scalars = job.scalars.iter().cloned().collect();
    about.foretold = known.foretell(job, metering);
    if let Some(foretold) = &about.foretold
        && let Some(outcome) = refusal(foretold, &about.limits, metering)
    {
        return Err(outcome);
    }
    let forecaster = request.forecaster.as_ref().zip(about.component.digest);
    let forecast = forecaster.map(|(forecaster, component)| {
        forecaster.forecast(&Prospect {
            component,
            entry: &job.entry,
            metering,
            dims: &job.dims,
            scalars: &job.scalars,
        })
    });
    let forecast = forecast.unwrap_or_default();
    about.warnings = warnings(about.foretold.as_ref(), &forecast, &about.limits, metering);
    Ok(())
}

/// The texts of a component's shaders, where they were said to stand.
pub(crate) fn shaders(
    component: &Component,
    described: &[Shader],
) -> Result<Vec<NamedShader>, Outcome> {
    let named = |shader: &Shader| {
        shader.of(component.bytes()).ok_or_else(|| {
            let message = "a shader was described that is not within the component";
            Outcome::failed(OutcomeKind::HostFault, Blame::Host, message)
        })
    };
    described.iter().map(named).collect()
}

/// The most imports that a refusal lists.
const NAMES_SHOWN: usize = 16;

/// Whether an entry uses a capability that its component imports: as its manifest says, else yes.
fn wants(kernel: &Kernel, capability: Capability) -> bool {
    kernel
        .wants()
        .is_none_or(|wants| wants.iter().any(|name| name == capability.name()))
}

/// Whether an entry says that it uses a capability.
fn names(kernel: &Kernel, capability: Capability) -> bool {
    kernel.wants().is_some() && wants(kernel, capability)
}

/// What the metering mode cannot have.
fn check_metering(capability: Capability, request: &Request, metering: Metering) -> Option<Cause> {
    if metering != Metering::Deterministic {
        return None;
    }
    match capability.determinism() {
        Determinism::Always => None,
        Determinism::Seeded if request.seed.is_some() => None,
        Determinism::Seeded => Some(Cause::SeedMissing),
        Determinism::Never => Some(Cause::NotDeterministic { capability }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hotcell_model::shader::Judged;

    #[test]
    fn a_shader_outside_the_component_is_the_hosts_fault() {
        let component = Component::new(b"0123456789".to_vec());
        let at = |offset_bytes, len_bytes| Shader {
            name: "a.wgsl".to_owned(),
            offset_bytes,
            len_bytes,
            judged: Judged::Entries(Vec::new()),
        };
        let named = shaders(&component, &[at(2, 3), at(10, 0)]).unwrap();
        assert_eq!(&*named[0].text, b"234");
        assert!(named[1].text.is_empty());
        for outside in [at(11, 0), at(9, 2), at(0, u64::MAX), at(u64::MAX, 1)] {
            let outcome = shaders(&component, &[at(2, 3), outside]).unwrap_err();
            assert_eq!(outcome.kind, OutcomeKind::HostFault);
        }
    }
}
