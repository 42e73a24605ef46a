//! What a kernel's code says of a launch, before it runs.

use hotcell_model::analysis::{Contradiction, EntryCost, Foretold, variables};
use hotcell_model::component::Description;
use hotcell_model::job::Job;
use hotcell_model::limit::{Limit, Limits};
use hotcell_model::manifest::{Kernel, ScalarValue, Weight};
use hotcell_model::outcome::Cause;
use hotcell_model::profile::Metering;
use hotcell_model::report::{Alert, AlertKind};

/// What is known of a kernel's cost from its code.
pub(crate) struct Known<'d> {
    kernel: &'d Kernel,
    cost: Option<&'d EntryCost>,
    contradictions: Vec<Contradiction>,
}

impl<'d> Known<'d> {
    pub(crate) fn of(description: &'d Description, kernel: &'d Kernel) -> Self {
        let kernels = description.manifest.kernels();
        let place = kernels.iter().position(|own| own.name() == kernel.name());
        let cost = place.and_then(|place| description.cost_of(place));
        Self {
            kernel,
            cost,
            contradictions: cost
                .map(|cost| cost.contradictions(kernel))
                .unwrap_or_default(),
        }
    }

    /// What an operator is told of a manifest that lies.
    pub(crate) fn alerts(&self) -> impl Iterator<Item = Alert> {
        self.contradictions.iter().map(|contradiction| Alert {
            kind: AlertKind::ManifestLies,
            message: format!("kernel `{}`: {contradiction}", self.kernel.name()),
        })
    }

    /// Has the stricter of manifest and code decide what nobody else has chosen: a kernel that calls itself heavier than its
    /// code is has a light one's fuel and time.
    pub(crate) fn govern(&self, limits: &mut Limits) {
        if self.contradictions.contains(&Contradiction::Heavier) {
            limits.lower_defaults(
                Weight::Light,
                &[Limit::Fuel, Limit::Timeout, Limit::CpuTime],
            );
        }
    }

    /// What a launch takes by the kernel's code.
    pub(crate) fn foretell(&self, job: &Job, metering: Metering) -> Option<Foretold> {
        let whole = || vec![(0, 0)];
        let chunks = match &job.split {
            Some(split) => split
                .bounds
                .windows(2)
                .map(|ends| (split.dim, ends[1] - ends[0]))
                .collect(),
            None => whole(),
        };
        let of_chunk = |(dim, len): (usize, u64)| -> Option<Vec<u64>> {
            let value = |name: &str| {
                let place = job.dims.iter().position(|(own, _)| own == name);
                match place {
                    Some(place) if job.split.is_some() && place == dim => Some(len),
                    Some(place) => Some(job.dims[place].1),
                    None => {
                        let mut scalars = job.scalars.iter();
                        scalars
                            .find(|(own, _)| own == name)
                            .and_then(|(_, value)| integer(*value))
                    }
                }
            };
            variables(self.kernel).map(value).collect()
        };
        let chunks: Vec<Vec<u64>> = chunks.into_iter().map(of_chunk).collect::<Option<_>>()?;
        self.cost?
            .fuel(self.kernel, &chunks, metering == Metering::Deterministic)
    }
}

/// Why a launch need not be tried: it takes more than it may, whatever is in its arrays.
pub(crate) fn refusal(foretold: &Foretold, limits: &Limits, metering: Metering) -> Option<Cause> {
    let maximum = limits.get(Limit::Fuel);
    let is_certain = metering.has_fuel() && foretold.at_least > maximum;
    is_certain.then_some(Cause::Foretold {
        at_least: foretold.at_least,
        maximum,
    })
}

/// An integer that is not below 0: bounds speak of those alone.
fn integer(value: ScalarValue) -> Option<u64> {
    match value {
        ScalarValue::Bool(value) => Some(value.into()),
        ScalarValue::I32(value) => u64::try_from(value).ok(),
        ScalarValue::I64(value) => u64::try_from(value).ok(),
        ScalarValue::U32(value) => Some(value.into()),
        ScalarValue::U64(value) => Some(value),
        ScalarValue::F32(_) | ScalarValue::F64(_) => None,
    }
}
