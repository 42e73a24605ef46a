//! What is right by itself, and contradicts something else in the same policy.

use crate::file::{Binding, OTHERS, Part, PolicyFile, Subjected, is_weight};
use crate::problem::joined;
use hotcell_model::accounts::Allowance;
use hotcell_model::budget::Resource;
use std::collections::BTreeMap;
use std::ops::Range;

/// A place in the file, the key, and what is wrong with it.
pub(crate) type Contradiction = (Range<usize>, String, String);

/// All that contradicts something.
pub(crate) fn contradictions(policy: &PolicyFile) -> Vec<Contradiction> {
    let mut found = Vec::new();
    above_ceilings(&Part::default(), &policy.base, "", &mut found);
    for (name, profile) in &policy.profiles {
        let heading = joined("profiles", name);
        within_base(&policy.base, profile, &heading, &mut found);
        let binds = |binding: &Binding| {
            let bound = binding.profile.as_ref();
            bound.is_some_and(|(bound, _)| bound == name)
        };
        if !is_weight(name) && !policy.kernels.iter().any(binds) {
            let what =
                "no kernel has this profile: bind some to it with `[[kernels]]`, or leave it out";
            found.push((profile.place.clone(), heading, what.to_owned()));
        }
    }
    if let Some(at) = policy.kernels.iter().position(Binding::is_for_all)
        && let Some(next) = policy.kernels.get(at + 1)
    {
        let what = format!(
            "never reached: kernels[{at}] fits every kernel, and the first that fits holds"
        );
        found.push((next.place.clone(), format!("kernels[{}]", at + 1), what));
    }
    for (at, binding) in policy.kernels.iter().enumerate() {
        if let Some((profile, place)) = &binding.profile
            && !policy.profiles.contains_key(profile)
        {
            let key = format!("kernels[{at}].profile");
            found.push((place.clone(), key, no_profile(policy, profile)));
        }
    }
    let named = policy.tenants.iter();
    let named = named.map(|(name, tenant)| (name.as_str(), tenant));
    let others = policy.others.iter().map(|tenant| (OTHERS, tenant));
    let mut owners = BTreeMap::<&Subjected, &str>::new();
    for (name, tenant) in named.chain(others) {
        let heading = joined("tenants", name);
        within_base(&policy.base, &tenant.part, &heading, &mut found);
        let Allowance {
            budgets,
            running,
            waiting,
        } = &tenant.allowance;
        let of_work = |(resource, _)| resource != Resource::Launches;
        if running.is_none() && (*waiting > 0 || budgets.iter().any(of_work)) {
            let what = match waiting {
                0 => {
                    "a budget of what launches take needs `running`: how many may overrun it at once"
                }
                _ => "launches wait for others only where `running` says how many run at once",
            };
            found.push((
                tenant.part.place.clone(),
                format!("{heading}.running"),
                what.to_owned(),
            ));
        }
        for (profile, place) in tenant.profiles.iter().flatten() {
            if !policy.profiles.contains_key(profile) && !is_weight(profile) {
                let what = no_profile(policy, profile);
                found.push((place.clone(), format!("{heading}.profiles"), what));
            }
        }
        for (subject, place) in &tenant.subjects {
            if let Some(other) = owners.insert(subject, name) {
                let what = format!("`{subject}` belongs to tenant `{other}` already");
                found.push((place.clone(), format!("{heading}.subjects"), what));
            }
        }
    }
    found
}

/// What of a part is more than everybody has, and so does nothing.
fn within_base(base: &Part, part: &Part, heading: &str, found: &mut Vec<Contradiction>) {
    above_ceilings(base, part, heading, found);
    if let (Some(own), Some(least)) = (part.metering, base.metering)
        && own < least
    {
        let what = format!("`{own}` is never had: the metering of everybody is at least `{least}`");
        found.push((part.place.clone(), format!("{heading}.metering"), what));
    }
}

/// Limits above a ceiling that holds for them, and ceilings above one that holds for everybody.
fn above_ceilings(base: &Part, part: &Part, heading: &str, found: &mut Vec<Contradiction>) {
    for (limit, rule) in &part.limits {
        let ceilings = [part.ceilings.get(limit), base.ceilings.get(limit)];
        let ceilings = ceilings.into_iter().flatten();
        let Some(ceiling) = ceilings.map(|ceiling| ceiling.value).min() else {
            continue;
        };
        if rule.value > ceiling {
            let unit = limit.unit();
            let (value, ceiling) = (unit.format(rule.value), unit.format(ceiling));
            let what = format!("{value} is above its ceiling of {ceiling} in this policy");
            let key = joined(heading, &format!("limits.{limit}"));
            found.push((rule.place.clone(), key, what));
        }
    }
    for (limit, ceiling) in &part.ceilings {
        let Some(widest) = base.ceilings.get(limit) else {
            continue;
        };
        if ceiling.value > widest.value {
            let unit = limit.unit();
            let (value, widest) = (unit.format(ceiling.value), unit.format(widest.value));
            let what = format!("{value} is never reached: the ceiling for everybody is {widest}");
            let key = joined(heading, &format!("ceilings.{limit}"));
            found.push((ceiling.place.clone(), key, what));
        }
    }
}

fn no_profile(policy: &PolicyFile, name: &str) -> String {
    let known: Vec<&str> = policy.profiles.keys().map(String::as_str).collect();
    let known = match known.is_empty() {
        true => "this policy has none".to_owned(),
        false => format!("this policy has: {}", known.join(", ")),
    };
    format!(
        "no profile `{name}`; {known}, and `light`, `normal` and `heavy` are what kernels weigh"
    )
}
