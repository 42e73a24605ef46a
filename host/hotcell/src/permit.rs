//! Authorization: from a request to the checked proof that it may run.
//!
//! A [`Permit`] has no public constructor; `authorize` makes one, and the launch consumes it.

use crate::audit::Attempt;
use crate::bind::{Bound, bind, check_names, choose};
use crate::component::Component;
use crate::delivery::Consignment;
use crate::host_memory;
use crate::isolation::Order;
use crate::request::{Digests, Request};
use crate::spent::Spent;
use hotcell_model::array::ArrayType;
use hotcell_model::component::{Description, Import, Need, Refusal};
use hotcell_model::digest::RunId;
use hotcell_model::gpu::NamedShader;
use hotcell_model::grant::{Capability, Grants};
use hotcell_model::job::Observer;
use hotcell_model::limit::{LimitSource, Limits};
use hotcell_model::manifest::Kernel;
use hotcell_model::outcome::{Blame, Outcome, OutcomeKind};
use hotcell_model::profile::{Isolation, Metering};
use hotcell_model::shader::Shader;
use hotcell_model::stop::StopSignal;
use hotcell_model::tenant::Tenant;
use std::sync::Arc;

/// The proof that a launch may run, with everything it needs. Dropped unused, it ends its launch as cancelled.
pub struct Permit {
    pub(crate) component: Component,
    pub(crate) bound: Bound,
    /// Its record in the audit trail, which has begun.
    pub(crate) attempt: Attempt,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) consignment: Option<Box<dyn Consignment>>,
}

/// What is known of a launch whether or not it may run: what every report begins with.
#[derive(Clone)]
pub(crate) struct About {
    pub(crate) run_id: RunId,
    pub(crate) component: hotcell_model::report::ComponentReport,
    pub(crate) tenant: Tenant,
    pub(crate) metering: Metering,
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

    /// The limits in force.
    pub fn limits(&self) -> &Limits {
        &self.attempt.about.limits
    }
}

/// Checks a described component against what is granted, and a request against its manifest. Inputs are read once
/// the kernel is known to have them.
pub(crate) fn check(
    description: &Description,
    request: &mut Request,
    about: &mut About,
) -> Result<Bound, Outcome> {
    about.component.entry.clear();
    let kernel = choose(&description.manifest, request)?;
    about.component.entry = kernel.name().to_owned();
    check_imports(kernel, &description.imports, request)?;
    // What the entry does not want it is not given: a call of it ends the launch as denied.
    let granted = request.grants.iter();
    about.grants = granted.filter(|grant| wants(kernel, *grant)).collect();
    about.limits = resolve_limits(kernel, request)?;
    check_names(kernel, request)?;
    request.read_inputs()?;
    let mut bound = bind(kernel, request, about.limits.clone())?;
    bound.job.grants = about.grants.clone();
    host_memory::check(&bound, &about.limits)?;
    // A launch that was granted what it does not import gets no GPU worker.
    let imports_gpu = |import: &Import| import.needs == Need::Grant(Capability::Gpu);
    if !description.imports.iter().any(imports_gpu) {
        let grants = bound.job.grants.iter();
        let is_of_gpu = |grant: &Capability| matches!(grant, Capability::Gpu | Capability::GpuText);
        bound.job.grants = grants.filter(|grant| !is_of_gpu(grant)).collect();
    }
    Ok(bound)
}

/// The texts of a component's shaders, where they were said to stand.
pub(crate) fn shaders(
    component: &Component,
    description: &Description,
) -> Result<Vec<NamedShader>, Outcome> {
    let named = |shader: &Shader| {
        shader.of(component.bytes()).ok_or_else(|| {
            let message = "a shader was described that is not within the component";
            Outcome::failed(OutcomeKind::HostFault, Blame::Host, message)
        })
    };
    description.shaders.iter().map(named).collect()
}

/// The limits of a request alone, for what happens before its kernel is known.
pub(crate) fn request_limits(request: &Request) -> Result<Limits, Outcome> {
    let mut limits = Limits::defaults(Default::default());
    override_limits(&mut limits, request)?;
    Ok(limits)
}

fn resolve_limits(kernel: &Kernel, request: &Request) -> Result<Limits, Outcome> {
    let mut limits = Limits::of_kernel(kernel).map_err(|error| {
        let message = format!(
            "the manifest of `{}` asks for too much: {error}",
            kernel.name()
        );
        Outcome::failed(OutcomeKind::Denied, Blame::Guest, message)
    })?;
    override_limits(&mut limits, request)?;
    Ok(limits)
}

fn override_limits(limits: &mut Limits, request: &Request) -> Result<(), Outcome> {
    for (limit, value) in &request.limits {
        limits
            .try_set(*limit, *value, LimitSource::Request)
            .map_err(|error| {
                Outcome::failed(OutcomeKind::Denied, Blame::Request, error.to_string())
            })?;
    }
    Ok(())
}

/// The most imports that a refusal lists.
const NAMES_SHOWN: usize = 16;

/// A name that the component chose, fit for a message.
fn shown(name: &str) -> String {
    hotcell_model::text::escape(name, 256)
}

/// Whether an entry uses a capability that its component imports: as its manifest says, else yes.
fn wants(kernel: &Kernel, capability: Capability) -> bool {
    kernel
        .wants()
        .is_none_or(|wants| wants.iter().any(|name| name == capability.name()))
}

/// As for a launch of each entry, or of the one that is named.
pub(crate) fn check_entries(description: &Description, request: &Request) -> Result<(), Outcome> {
    let kernels = description.manifest.kernels().iter();
    let named = request.entry.as_deref();
    kernels
        .filter(|kernel| named.is_none_or(|name| name == kernel.name()))
        .try_for_each(|kernel| check_imports(kernel, &description.imports, request))
}

/// Every import that the entry wants must be granted; the refusal says what was asked for, what there is, and what to do.
fn check_imports(kernel: &Kernel, imports: &[Import], request: &Request) -> Result<(), Outcome> {
    let denied = |message| {
        Err(Outcome::failed(
            OutcomeKind::Denied,
            Blame::Operator,
            message,
        ))
    };
    let asked: Vec<String> = imports
        .iter()
        .filter(|import| import.needs != Need::Nothing)
        .take(NAMES_SHOWN)
        .map(|import| shown(&import.name))
        .collect();
    for import in imports {
        let name = shown(&import.name);
        match import.needs {
            Need::Nothing => {}
            Need::Grant(capability) if !wants(kernel, capability) => {}
            Need::AnotherHost => {
                return denied(format!(
                    "the component imports `{name}`, which this host does not offer (it asks for: {})",
                    asked.join(", ")
                ));
            }
            Need::Grant(capability) if !request.grants.has(capability) => {
                return denied(format!(
                    "the component imports `{name}`, which is not granted (it asks for: {}; granted: {}); `--grant {capability}` grants it",
                    asked.join(", "),
                    request.grants
                ));
            }
            Need::Grant(capability) => check_deterministic(capability, request)?,
        }
    }
    Ok(())
}

/// What deterministic metering cannot have.
fn check_deterministic(capability: Capability, request: &Request) -> Result<(), Outcome> {
    let denied = |message: &str| {
        Err(Outcome::failed(
            OutcomeKind::Denied,
            Blame::Request,
            message,
        ))
    };
    match capability {
        _ if request.metering != Metering::Deterministic => Ok(()),
        Capability::Clock => denied(
            "the component imports `clock`, which deterministic metering does not have; run it in `strict`",
        ),
        Capability::Random if request.seed.is_none() => denied(
            "the component imports `random`, which deterministic metering has only with a seed; add `--seed N`",
        ),
        Capability::Gpu | Capability::GpuText => denied(
            "the component imports `gpu`, whose results differ between devices; run it in `strict`",
        ),
        Capability::Log | Capability::Control | Capability::Random => Ok(()),
    }
}

/// What a refused component is called.
pub(crate) fn refused(refusal: &Refusal) -> Outcome {
    match refusal {
        Refusal::Malformed(message) | Refusal::NoKernel(message) => {
            let message = hotcell_model::text::escape(message, 2048);
            Outcome::failed(OutcomeKind::InvalidComponent, Blame::Guest, message)
        }
        Refusal::TooMuch(breach) => Outcome::breached(*breach),
    }
}
