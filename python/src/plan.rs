//! How a kernel is to be launched, apart from its arguments: read once, and used for many launches.

use hotcell::grant::{Capability, Grants};
use hotcell::limit::{Limit, Unit};
use hotcell::{Cutting, Digest, Digests, Metering, Request, Tenant};
use hotcell_model::text::chain;
use hotcell_serve::protocol::{LaunchAsk, Text};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyString;
use std::collections::BTreeMap;
use std::time::Duration;

/// How a kernel is to be launched, apart from its arguments.
#[pyclass(frozen, module = "hotcell._native")]
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) request: Request,
    pub(crate) ask: LaunchAsk,
}

#[pymethods]
impl Plan {
    /// `limits` by their names in reports or without their unit: texts with units, or numbers of seconds, bytes and counts.
    #[new]
    #[pyo3(signature = (entry, limits, *, metering=None, grants=None, seed=None, threads=None, split=true, digests=true, gpu_profile=false, stop_grace=None, tenant=None))]
    #[expect(clippy::too_many_arguments, reason = "they are keywords in Python")]
    fn new(
        entry: String,
        limits: BTreeMap<String, Bound<'_, PyAny>>,
        metering: Option<&str>,
        grants: Option<Vec<String>>,
        seed: Option<u64>,
        threads: Option<usize>,
        split: bool,
        digests: bool,
        gpu_profile: bool,
        stop_grace: Option<f64>,
        tenant: Option<&str>,
    ) -> PyResult<Self> {
        let mut request = Request::new().entry(entry.clone());
        // Which component it is for is known when it is launched.
        let mut ask = LaunchAsk::new(Digest::from_bytes([0; 32]));
        ask.entry = Some(entry);
        for (name, value) in &limits {
            let limit = limit_of(name)?;
            let value = amount(limit, name, value)?;
            request = request.limit(limit, value);
            let unit = match limit.unit() {
                Unit::Bytes => "B",
                Unit::Ns => "ns",
                Unit::Fuel | Unit::Count => "",
            };
            let text = Text::of(format_args!("{value}{unit}"));
            ask.limits.insert(limit.name().to_owned(), text);
        }
        if let Some(metering) = metering {
            let metering: Metering = parsed("metering", metering)?;
            request = request.metering(metering);
            ask.metering = Some(metering);
        }
        // All is wanted that the host's policy grants, unless somebody says that less is.
        let wanted: Vec<Capability> = match grants {
            Some(grants) => grants
                .iter()
                .map(|name| parsed("grants", name))
                .collect::<PyResult<_>>()?,
            None => Grants::all().iter().collect(),
        };
        request = request.wants(wanted.iter().copied());
        ask.wants = Some(wanted);
        if let Some(seed) = seed {
            request = request.seed(seed);
            ask.seed = Some(Text::of(seed));
        }
        if let Some(threads) = threads {
            if threads == 0 {
                return Err(PyValueError::new_err("threads must be at least 1"));
            }
            request = request.threads(threads);
            ask.threads = Some(threads);
        }
        if !split {
            request = request.cutting(Cutting::Whole);
        }
        ask.split = split;
        if !digests {
            request = request.digests(Digests::None);
        }
        ask.digests = digests;
        if gpu_profile {
            request = request.gpu_profile();
        }
        ask.gpu_profile = gpu_profile;
        if let Some(seconds) = stop_grace {
            let grace = Duration::try_from_secs_f64(seconds)
                .map_err(|error| PyValueError::new_err(format!("stop_grace={seconds}: {error}")))?;
            request = request.stop_grace(grace);
        }
        if let Some(tenant) = tenant {
            let tenant: Tenant = parsed("tenant", tenant)?;
            request = request.tenant(tenant);
        }
        Ok(Self { request, ask })
    }
}

/// A value by its name.
pub(crate) fn parsed<T: std::str::FromStr<Err: std::error::Error>>(
    what: &str,
    text: &str,
) -> PyResult<T> {
    text.parse()
        .map_err(|error: T::Err| PyValueError::new_err(format!("{what}: {}", chain(&error))))
}

/// A limit by its name in reports, or by that without its unit: `timeout_ns` and `timeout`.
pub(crate) fn limit_of(name: &str) -> PyResult<Limit> {
    let named = |limit: &Limit| {
        let full = limit.name();
        full == name
            || full.strip_suffix("_ns") == Some(name)
            || full.strip_suffix("_bytes") == Some(name)
    };
    let found = Limit::ALL.iter().copied().find(named);
    found.ok_or_else(|| {
        let known: Vec<_> = Limit::ALL.iter().copied().map(Limit::name).collect();
        let known = known.join(", ");
        PyTypeError::new_err(format!(
            "`{name}` is no option and no limit; limits are: {known} (also without `_ns` and `_bytes`)"
        ))
    })
}

/// A limit's value in its unit: a text with the unit, a number of seconds for a time, else a whole number.
pub(crate) fn amount(limit: Limit, name: &str, value: &Bound<'_, PyAny>) -> PyResult<u64> {
    let wrong = |why: String| PyValueError::new_err(format!("{name}: {why}"));
    if let Ok(text) = value.cast::<PyString>() {
        let text = text.to_cow()?;
        let read = limit.unit().parse(&text);
        return read.map_err(|error| wrong(chain(&error)));
    }
    // `timeout=0.2` is in seconds, `timeout_ns=200_000_000` is not.
    if limit.unit() == Unit::Ns && name != limit.name() {
        let seconds: f64 = value.extract()?;
        let duration = Duration::try_from_secs_f64(seconds)
            .map_err(|error| wrong(format!("{seconds} seconds: {error}")))?;
        return u64::try_from(duration.as_nanos()).map_err(|error| wrong(error.to_string()));
    }
    if let Ok(number) = value.extract::<u64>() {
        return Ok(number);
    }
    // `fuel=1e9` is as whole as it looks.
    let number: f64 = value.extract()?;
    match number.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&number) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is whole and small enough"
        )]
        true => Ok(number as u64),
        false => Err(wrong(format!("{number} is no whole number"))),
    }
}
