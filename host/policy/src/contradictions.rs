//! What is right by itself, and contradicts something else in the same policy.

use crate::file::{Part, PolicyFile, Subjected};
use crate::read::{OTHERS, is_weight, joined};
use std::collections::BTreeMap;
use std::ops::Range;

/// A place in the file, the key, and what is wrong with it.
pub(crate) type Contradiction = (Range<usize>, String, String);

/// All that contradicts something.
pub(crate) fn contradictions(policy: &PolicyFile) -> Vec<Contradiction> {
    let mut found = Vec::new();
    above_ceilings(&Part::default(), &policy.base, "", &mut found);
    for (name, profile) in &policy.profiles {
        above_ceilings(
            &policy.base,
            profile,
            &format!("profiles.{name}"),
            &mut found,
        );
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
        above_ceilings(&policy.base, &tenant.part, &heading, &mut found);
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
