//! What several commands take: `NAME=VALUE` pairs, limits, grants.

use anyhow::{Context, Result, bail};
use clap::Args;
use hotcell::grant::{Capability, Grants};
use hotcell::limit::Limit;
use hotcell::{Metering, Request};
use hotcell_formats::Locator;
use hotcell_policy::FilePolicy;
use hotcell_serve::protocol::Text;
use std::collections::{BTreeMap, BTreeSet};

/// A `NAME=VALUE` pair of the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) name: String,
    pub(crate) value: String,
}

/// Reads `NAME=VALUE`; the value may contain further `=`.
pub(crate) fn pair(text: &str) -> Result<Pair, String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => Ok(Pair {
            name: name.to_owned(),
            value: value.to_owned(),
        }),
        _ => Err("write NAME=VALUE, with nothing around the `=`".to_owned()),
    }
}

/// Refuses a name that is given twice.
pub(crate) fn check_unique<'a>(option: &str, names: impl Iterator<Item = &'a str>) -> Result<()> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            bail!("{option} {name}= is given twice");
        }
    }
    Ok(())
}

/// A file in a pair's value: `@FILE`.
pub(crate) fn locator(pair: &Pair) -> Result<Locator> {
    Locator::parse(&pair.value).with_context(|| format!("{}={}", pair.name, pair.value))
}

/// Limits and how the kernel is metered.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Limits")]
pub(crate) struct LimitArguments {
    /// Interrupt the kernel after this long: 200ms, 5s, 2m
    #[arg(long, value_name = "DURATION")]
    timeout: Option<String>,
    /// Fuel, about one unit per instruction: 500M, 10G
    #[arg(long, value_name = "COUNT")]
    fuel: Option<String>,
    /// Linear memory of all instances together: 256MiB
    #[arg(long, value_name = "BYTES")]
    memory: Option<String>,
    /// Any other limit by its name in reports: host_calls=10k, log_bytes=1MiB, cpu_time_ns=5s
    #[arg(long = "limit", value_name = "NAME=VALUE", value_parser = pair)]
    limits: Vec<Pair>,
    /// fast: epochs only; strict: fuel too; deterministic: the same bytes and fuel on every machine [default: strict, or
    /// what the policy requires where that is more]
    #[arg(long, value_name = "MODE")]
    pub(crate) metering: Option<Metering>,
}

impl LimitArguments {
    /// Puts the limits into a request.
    pub(crate) fn apply(&self, mut request: Request) -> Result<Request> {
        if let Some(metering) = self.metering {
            request = request.metering(metering);
        }
        for (limit, value) in self.asked()? {
            request = request.limit(limit, value);
        }
        Ok(request)
    }

    /// The limits that are asked for, as they were written.
    pub(crate) fn texts(&self) -> BTreeMap<String, Text> {
        let named = [
            (Limit::Timeout, &self.timeout),
            (Limit::Fuel, &self.fuel),
            (Limit::Memory, &self.memory),
        ];
        let named = named
            .into_iter()
            .filter_map(|(limit, text)| Some((limit.name().to_owned(), Text::of(text.as_ref()?))));
        let others = self.limits.iter();
        let others = others.map(|Pair { name, value }| (name.clone(), Text::of(value)));
        named.chain(others).collect()
    }

    /// The limits that are asked for.
    pub(crate) fn asked(&self) -> Result<BTreeMap<Limit, u64>> {
        let mut asked = BTreeMap::new();
        for (limit, option, text) in [
            (Limit::Timeout, "--timeout", &self.timeout),
            (Limit::Fuel, "--fuel", &self.fuel),
            (Limit::Memory, "--memory", &self.memory),
        ] {
            if let Some(text) = text {
                let value = limit
                    .unit()
                    .parse(text)
                    .with_context(|| option.to_owned())?;
                asked.insert(limit, value);
            }
        }
        for Pair { name, value } in &self.limits {
            let limit = find_limit(name)?;
            let value = limit
                .unit()
                .parse(value)
                .with_context(|| format!("--limit {name}"))?;
            asked.insert(limit, value);
        }
        Ok(asked)
    }
}

/// A limit by its name in reports.
pub(crate) fn find_limit(name: &str) -> Result<Limit> {
    Ok(name.parse()?)
}

/// Capabilities.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Capabilities")]
pub(crate) struct GrantArguments {
    /// Grant a capability besides log and control: clock, random, wasi, gpu (which brings gpu-text along). Where there is a
    /// policy, it grants, and this does nothing
    #[arg(long = "grant", value_name = "NAME")]
    grants: Vec<Capability>,
    /// Withhold a capability that is granted by default or with another: log, control, gpu-text
    #[arg(long = "deny", value_name = "NAME")]
    denied: Vec<Capability>,
    /// Seed of the capability random
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Count the GPU fuel of every dispatch for the report, which makes dispatches slower
    #[arg(long)]
    pub(crate) gpu_profile: bool,
}

impl GrantArguments {
    /// What is granted: `log` and `control`, and what the command line says. Who grants the GPU by hand has in mind the
    /// kernel that asks for it, with whatever shaders it makes.
    pub(crate) fn granted(&self) -> Grants {
        let named = self.grants.iter().copied();
        let with_gpu = self.grants.contains(&Capability::Gpu);
        let text = with_gpu.then_some(Capability::GpuText);
        let built_in = Grants::built_in();
        let granted = built_in.iter().chain(named).chain(text);
        granted.filter(|one| !self.denied.contains(one)).collect()
    }

    /// All but what is denied: a policy says what of it is granted.
    pub(crate) fn wanted_of_a_policy(&self) -> Vec<Capability> {
        let all = Grants::all();
        let left = all.iter().filter(|one| !self.denied.contains(one));
        left.collect()
    }

    /// Has a request want all that is granted: by the command line, or by a policy.
    pub(crate) fn apply(&self, request: Request, policy: Option<&FilePolicy>) -> Request {
        let granted = match policy {
            Some(_) => self.wanted_of_a_policy(),
            None => self.granted().iter().collect(),
        };
        let mut request = request.wants(granted);
        if self.gpu_profile {
            request = request.gpu_profile();
        }
        match self.seed {
            Some(seed) => request.seed(seed),
            None => request,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gpu_brings_text_along_unless_that_is_denied() {
        let granted = |grants: &[Capability], denied: &[Capability]| {
            let arguments = GrantArguments {
                grants: grants.to_vec(),
                denied: denied.to_vec(),
                ..GrantArguments::default()
            };
            arguments.granted()
        };
        use Capability::{Control, Gpu, GpuText, Log};
        assert!(granted(&[Gpu], &[]).has(GpuText));
        assert!(!granted(&[Gpu], &[GpuText]).has(GpuText));
        assert!(!granted(&[], &[]).has(GpuText));
        assert_eq!(granted(&[], &[Log, Control]), Grants::none());
    }

    #[test]
    fn pairs_need_both_sides() {
        assert_eq!(pair("a=b=c").unwrap().value, "b=c");
        for text in ["", "a", "=b", "a="] {
            assert!(pair(text).is_err(), "{text}");
        }
        assert!(check_unique("--in", ["a", "b", "a"].into_iter()).is_err());
    }

    #[test]
    fn limits_are_found_by_name_and_need_their_unit() {
        assert_eq!(find_limit("host_calls").unwrap(), Limit::HostCalls);
        assert!(
            find_limit("hostcalls")
                .unwrap_err()
                .to_string()
                .contains("host_calls")
        );
        let arguments = LimitArguments {
            memory: Some("256".into()),
            ..LimitArguments::default()
        };
        let error = format!("{:#}", arguments.apply(Request::new()).err().unwrap());
        assert!(
            error.contains("--memory") && error.contains("MiB"),
            "{error}"
        );
    }
}
