//! What a kernel's code says of a launch, before it runs.

use hotcell_model::analysis::{Contradiction, EntryCost, Foretold, variables};
use hotcell_model::component::Description;
use hotcell_model::forecast::{Forecast, Foresight, Warning};
use hotcell_model::job::Job;
use hotcell_model::limit::{Amount, Breach, Limit, Limits};
use hotcell_model::manifest::{Kernel, ScalarValue, Weight};
use hotcell_model::outcome::{Blame, Cause, Outcome};
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
        let cost = self.cost?;
        let fuel = cost.fuel(self.kernel, &chunks, metering == Metering::Deterministic)?;
        Some(Foretold {
            memory_bytes_at_least: cost.holds_its_arrays().then(|| arrays_bytes(job)),
            ..fuel
        })
    }
}

/// Why a launch need not be tried: it takes more than it may, whatever is in its arrays.
pub(crate) fn refusal(foretold: &Foretold, limits: &Limits, metering: Metering) -> Option<Outcome> {
    let maximum = limits.get(Limit::Fuel);
    if metering.has_fuel() && foretold.at_least > maximum {
        return Some(Outcome::because(vec![Cause::Foretold {
            at_least: foretold.at_least,
            maximum,
        }]));
    }
    let maximum = limits.get(Limit::Memory);
    let needed = foretold
        .memory_bytes_at_least
        .filter(|needed| *needed > maximum)?;
    let refused = Outcome::breached(Breach {
        limit: Limit::Memory,
        amount: Amount::Requested(needed),
        maximum,
    });
    Some(Outcome {
        message: format!(
            "{} (by its code the kernel has all its arrays in memory at once; nothing has run)",
            refused.message
        ),
        // Whoever asked chose how large the arrays are.
        blame: Some(Blame::Request),
        ..refused
    })
}

/// The limits that a launch is expected to reach. Of fuel a profile knows best, within what the code says of this launch; without one
/// the code's upper bound warns where it is close, and is no alarm where it is far.
pub(crate) fn warnings(
    foretold: Option<&Foretold>,
    forecast: &Forecast,
    limits: &Limits,
    metering: Metering,
) -> Vec<Warning> {
    let by_profile = forecast.fuel.map(|fuel| {
        let most = foretold.and_then(|foretold| foretold.at_most);
        let least = foretold.map_or(0, |foretold| foretold.at_least);
        (
            Foresight::Profile,
            fuel.min(most.unwrap_or(u64::MAX)).max(least),
        )
    });
    let by_code = || {
        let most = foretold.and_then(Foretold::close_at_most);
        most.map(|most| (Foresight::Code, most))
    };
    let fuel = by_profile.or_else(by_code).filter(|_| metering.has_fuel());
    let memory = forecast
        .memory_bytes
        .map(|bytes| (Foresight::Profile, bytes));
    let of = |limit: Limit, expected: Option<(Foresight, u64)>| {
        let maximum = limits.get(limit);
        let (by, expected) = expected.filter(|(_, expected)| *expected > maximum)?;
        Some(Warning {
            limit,
            by,
            expected,
            maximum,
        })
    };
    let warnings = [of(Limit::Fuel, fuel), of(Limit::Memory, memory)];
    warnings.into_iter().flatten().collect()
}

/// The bytes of the arrays of a launch's largest chunk.
fn arrays_bytes(job: &Job) -> u64 {
    let longest = job.split.as_ref().and_then(|split| {
        let lengths = split.bounds.windows(2).map(|ends| ends[1] - ends[0]);
        lengths.max()
    });
    let bytes = job
        .arrays
        .iter()
        .map(|array| match (array.split_stride_bytes, longest) {
            (Some(stride), Some(longest)) => stride.saturating_mul(longest),
            _ => array.size_bytes,
        });
    bytes.fold(0, u64::saturating_add)
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

#[cfg(test)]
mod tests {
    use super::*;
    use hotcell_model::limit::LimitSource;
    use hotcell_model::outcome::OutcomeKind;

    fn foretold(at_least: u64, at_most: Option<u64>) -> Foretold {
        Foretold {
            at_least,
            at_most,
            memory_bytes_at_least: None,
        }
    }

    fn limits(fuel: u64) -> Limits {
        let mut limits = Limits::defaults(Weight::Normal);
        limits
            .try_set(Limit::Fuel, fuel, LimitSource::Request)
            .unwrap();
        limits
    }

    #[test]
    fn a_close_bound_of_the_code_warns_and_a_far_one_does_not() {
        let warned = |at_most, metering| {
            let foretold = foretold(100, Some(at_most));
            warnings(
                Some(&foretold),
                &Forecast::default(),
                &limits(200),
                metering,
            )
        };
        let expected = Warning {
            limit: Limit::Fuel,
            by: Foresight::Code,
            expected: 400,
            maximum: 200,
        };
        assert_eq!(warned(400, Metering::Strict), [expected]);
        assert_eq!(warned(401, Metering::Strict), []);
        assert_eq!(warned(200, Metering::Strict), []);
        assert_eq!(warned(400, Metering::Fast), []);
    }

    #[test]
    fn a_profile_is_believed_within_what_the_code_says() {
        let warned = |fuel, at_most| {
            let forecast = Forecast {
                fuel: Some(fuel),
                memory_bytes: Some(2 << 30),
            };
            let foretold = foretold(100, at_most);
            let all = warnings(Some(&foretold), &forecast, &limits(200), Metering::Strict);
            assert_eq!(all.last().map(|one| one.limit), Some(Limit::Memory));
            let fuel = all.into_iter().find(|one| one.limit == Limit::Fuel);
            fuel.map(|one| (one.by, one.expected))
        };
        assert_eq!(warned(150, Some(400)), None);
        assert_eq!(warned(300, Some(400)), Some((Foresight::Profile, 300)));
        assert_eq!(warned(300, Some(200)), None);
        assert_eq!(warned(900, None), Some((Foresight::Profile, 900)));
    }

    #[test]
    fn what_certainly_has_too_little_memory_is_refused_with_both_numbers() {
        let foretold = Foretold {
            memory_bytes_at_least: Some(512 << 20),
            ..foretold(0, None)
        };
        let outcome = refusal(&foretold, &limits(200), Metering::Fast).unwrap();
        assert_eq!(outcome.kind, OutcomeKind::MemoryLimit);
        assert_eq!(outcome.blame, Some(Blame::Request));
        let says = "512MiB requested, at most 256MiB allowed";
        assert!(outcome.message.contains(says), "{}", outcome.message);
    }
}
