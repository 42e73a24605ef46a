//! Limits out of profiles: what honest launches take at most, a margin above it, and how many of them a limit would stop.
//!
//! **What a limit is made of.** Fuel at the largest profiled sizes is what the model leaves open there, or the most that was
//! measured if that is more, times the most that other elements and the search for the worst made of it. Memory is that of one
//! instance times the chunks of such a launch, as many of which may be alive at once as the machine has cores. On both comes
//! the margin.
//!
//! **A GPU's** fuel and time have no model: their limits follow the most that was measured.
//!
//! **The margin.** [`DEFAULT_MARGIN`] is a half. Fuel is the same for the same work on every machine, so it need not cover noise,
//! but inputs that nobody has tried; the search for those multiplies into the limit before the margin does. A half more is far
//! above the 2 % that a model may be off, and far below the tenfold work that a limit is there to stop.
//!
//! **Time** is another matter: another machine is slower, and this one busy. The timeout is the last line behind fuel, and
//! [`TIME_FACTOR`] times what was measured.
//!
//! **False stops.** Honest launches of the profile take no part in the limits. If none of N of them would have been stopped, fewer
//! than 3/N of all such launches are, at 95 % confidence (the rule of three); else the upper end of Wilson's interval is told.

mod gpu;
mod policy;

pub use policy::{Style, policy_text};

use crate::fit::{PAGE_BYTES, Quantity, Sizes};
use crate::number;
use crate::record::{Point, Profile, Purpose, Sample};
use crate::take::amount;
use hotcell::limit::{Breach, Limit};

/// How far above the most that honest launches take limits are, where nothing else is said: by a half.
pub const DEFAULT_MARGIN: f64 = 0.5;
/// The timeout is so many times the time that was measured, beside the margin.
pub const TIME_FACTOR: f64 = 8.0;
/// No timeout is shorter: below it, what a machine does besides decides.
const SHORTEST_NS: u64 = 100_000_000;
/// Limits are made of these; what honest launches take only judges them.
const BASIS: [Purpose; 3] = [Purpose::Fitted, Purpose::HeldOut, Purpose::Kinds];

/// How far above the most that honest launches take limits are: 0.5 is a half.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Margin(f64);

/// A margin that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no margin; write a percentage from 0 to 1000, such as 50")]
pub struct NotAMargin(String);

impl Default for Margin {
    fn default() -> Self {
        Self(DEFAULT_MARGIN)
    }
}

impl Margin {
    /// What a value is multiplied by.
    pub fn factor(self) -> f64 {
        1.0 + self.0
    }

    /// In percent.
    pub fn percent(self) -> f64 {
        100.0 * self.0
    }
}

impl std::str::FromStr for Margin {
    type Err = NotAMargin;

    fn from_str(text: &str) -> Result<Self, NotAMargin> {
        let number = text.strip_suffix('%').unwrap_or(text).trim();
        let percent = number.parse().ok();
        let percent = percent.filter(|percent: &f64| (0.0..=1000.0).contains(percent));
        let percent = percent.ok_or_else(|| NotAMargin(text.chars().take(40).collect()))?;
        Ok(Self(percent / 100.0))
    }
}

/// A limit's value, and why it is that.
#[derive(Clone, Debug, PartialEq)]
pub struct Suggested {
    /// The limit.
    pub limit: Limit,
    /// Its value, in its unit.
    pub value: u64,
    /// What it is made of.
    pub why: String,
}

/// Limits for one entry.
#[derive(Clone, Debug, PartialEq)]
pub struct Suggestion {
    /// The component.
    pub component: hotcell::Digest,
    /// The entry.
    pub entry: String,
    /// The sizes that they are made for: the largest.
    pub sizes: Sizes,
    /// The limits.
    pub limits: Vec<Suggested>,
    /// How many honest launches they would stop.
    pub false_stops: FalseStops,
    /// What there is to say beside: models that are none, launches that were recorded.
    pub notes: Vec<String>,
}

/// Honest launches that limits would have stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FalseStops {
    /// How many would have been.
    pub stopped: usize,
    /// Of how many.
    pub runs: usize,
}

impl FalseStops {
    /// The most of a hundred such launches that are stopped, at 95 % confidence; all of them where none was launched.
    pub fn at_most_percent(self) -> f64 {
        let (stopped, runs) = (number::len(self.stopped), number::len(self.runs));
        match (self.stopped, self.runs) {
            (_, 0) => 100.0,
            (0, _) => (300.0 / runs).min(100.0),
            _ => {
                // Wilson's score interval; 1.645 is the 95th percentile of the normal distribution.
                let (rate, z) = (stopped / runs, 1.645_f64);
                let squared = z * z / runs;
                let spread = z * (rate * (1.0 - rate) / runs + squared / (4.0 * runs)).sqrt();
                (100.0 * (rate + squared / 2.0 + spread) / (1.0 + squared)).min(100.0)
            }
        }
    }
}

/// A launch that the audit log has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recorded {
    /// Its dimensions, as its arrays show them.
    pub sizes: Sizes,
    /// Fuel, where it was counted.
    pub fuel: Option<u64>,
    /// The most linear memory.
    pub memory_bytes: u64,
    /// How long it ran.
    pub wall_ns: u64,
    /// Limits that were only observed, and that it passed.
    pub observed: Vec<Breach>,
}

impl Profile {
    /// What a launch of those sizes may take of a quantity, by the profile and a margin; `None` where nothing was measured.
    /// Memory is that of a launch whose chunks all run at once.
    pub fn limit_at(&self, quantity: Quantity, sizes: &Sizes, margin: Margin) -> Option<u64> {
        let base = self.most_at(quantity, sizes)?;
        let value = base * margin.factor();
        Some(match quantity {
            Quantity::Fuel => number::ceil(value),
            Quantity::Memory => number::ceil(value).next_multiple_of(PAGE_BYTES),
            Quantity::Time => number::ceil(value * TIME_FACTOR).max(SHORTEST_NS),
        })
    }

    /// The most that honest launches take, as far as was seen, without a margin.
    fn most_at(&self, quantity: Quantity, sizes: &Sizes) -> Option<f64> {
        let foretold = self.predict(quantity, sizes).filter(|value| *value > 0.0);
        let measured = || {
            let all = self
                .done(&BASIS)
                .map(|point| number::of(amount(quantity, &point.sample)));
            all.reduce(f64::max)
        };
        let one = match foretold {
            Some(foretold) => foretold * self.most_over_foretold(quantity),
            // Nothing says how it grows: the most that was seen is what is known.
            None => measured()?,
        };
        Some(match quantity {
            Quantity::Memory => one * number::of(self.shape.chunks(sizes)),
            Quantity::Fuel | Quantity::Time => one,
        })
    }

    /// The most that was measured for what was foretold, over all that limits are made of.
    fn most_over_foretold(&self, quantity: Quantity) -> f64 {
        let over = |point: &Point| {
            let foretold = self.predict(quantity, &point.sizes)?;
            Some(number::of(amount(quantity, &point.sample)) / foretold.max(1.0))
        };
        let points = self.done(&BASIS).filter_map(over).fold(1.0, f64::max);
        let worst = self.worst.as_ref().filter(|_| quantity == Quantity::Fuel);
        let worst = worst.and_then(|worst| {
            Some(number::of(worst.fuel) / self.predict(quantity, &worst.sizes)?.max(1.0))
        });
        points.max(worst.unwrap_or(1.0))
    }

    /// How many of the honest launches a limit for their very sizes would have stopped.
    pub fn false_stops_by_size(&self, margin: Margin) -> FalseStops {
        self.false_stops(&|point| {
            Quantity::ALL.into_iter().any(|quantity| {
                let limit = self.limit_at(quantity, &point.sizes, margin);
                limit.is_some_and(|limit| taken(&point.sample, quantity) > limit)
            })
        })
    }

    fn false_stops(&self, is_stopped: &dyn Fn(&Point) -> bool) -> FalseStops {
        let mut count = FalseStops {
            stopped: 0,
            runs: 0,
        };
        for point in self.done(&[Purpose::Honest]) {
            count.runs += 1;
            count.stopped += usize::from(is_stopped(point));
        }
        count
    }
}

/// Limits for the largest sizes of a profile, and for honest launches that were recorded; `None` where nothing was measured.
///
/// A recorded launch is honest if it took no more than the profile allows for its sizes. One that took more does not raise a limit,
/// and is told of; nor does one of unknown sizes.
pub fn suggest(profile: &Profile, recorded: &[Recorded], margin: Margin) -> Option<Suggestion> {
    let sizes = profile.largest();
    let mut notes = Vec::new();
    for model in &profile.models {
        if let Some(why) = &model.irregular {
            notes.push(format!(
                "{} is irregular: {why}; the limit follows the most that was measured",
                model.quantity
            ));
        }
    }
    let honest = honest(profile, recorded, margin, &mut notes);
    let mut limits = Vec::new();
    for (quantity, limit) in [
        (Quantity::Fuel, Limit::Fuel),
        (Quantity::Memory, Limit::Memory),
        (Quantity::Time, Limit::Timeout),
    ] {
        let most = profile.most_at(quantity, &sizes)?;
        let mut value = profile.limit_at(quantity, &sizes, margin)?;
        let mut why = why(profile, quantity, &sizes, most, margin);
        let seen = honest
            .iter()
            .filter_map(|launch| of(launch, quantity))
            .max();
        if let Some(seen) = seen {
            let needed = number::ceil(number::of(seen) * margin.factor());
            if needed > value {
                value = needed;
                why = format!(
                    "recorded launches took up to {}; {:.0} % above that",
                    limit.unit().format(seen),
                    margin.percent()
                );
            }
        }
        let rounded = rounded(quantity, value);
        let value = rounded.min(limit.ceiling());
        if value < rounded {
            notes.push(format!(
                "{limit} would be {}, and its ceiling is less",
                limit.unit().format(rounded)
            ));
        }
        limits.push(Suggested { limit, value, why });
    }
    limits.extend(gpu::limits(profile, margin));
    let is_stopped = |point: &Point| {
        limits.iter().any(|one| {
            let quantity = match one.limit {
                Limit::Fuel => Some(Quantity::Fuel),
                Limit::Memory => Some(Quantity::Memory),
                Limit::Timeout => Some(Quantity::Time),
                _ => None,
            };
            let taken = quantity.map(|quantity| taken(&point.sample, quantity));
            let taken = taken.or_else(|| gpu::taken(&point.sample, one.limit));
            taken.is_some_and(|taken| taken > one.value)
        })
    };
    Some(Suggestion {
        component: profile.component,
        entry: profile.entry.clone(),
        false_stops: profile.false_stops(&is_stopped),
        sizes,
        limits,
        notes,
    })
}

/// What a launch took of a quantity, whose chunks may all have been alive at once.
fn taken(sample: &Sample, quantity: Quantity) -> u64 {
    let one = amount(quantity, sample);
    match quantity {
        Quantity::Memory => one.saturating_mul(sample.instances.max(1)),
        Quantity::Fuel | Quantity::Time => one,
    }
}

/// What a limit is made of, in words.
fn why(profile: &Profile, quantity: Quantity, sizes: &Sizes, most: f64, margin: Margin) -> String {
    let unit = match quantity {
        Quantity::Fuel => Limit::Fuel.unit(),
        Quantity::Memory => Limit::Memory.unit(),
        Quantity::Time => Limit::Timeout.unit(),
    };
    let model = profile.model(quantity);
    let most = unit.format(rounded(quantity, number::ceil(most)));
    let regular = model.filter(|model| model.is_regular());
    let by = match regular {
        Some(model) => format!("`{}`", model.text),
        None => "the most that was measured".to_owned(),
    };
    let chunks = profile.shape.chunks(sizes);
    let (above, what) = (margin.percent(), "honest launches take up to");
    match quantity {
        Quantity::Fuel => {
            let over = 100.0 * (profile.most_over_foretold(quantity) - 1.0);
            format!(
                "{what} {most}: {by}, and {over:.1} % more for the worst that was found; {above:.0} % above that"
            )
        }
        Quantity::Memory => {
            format!("{what} {most}: {by} in each of {chunks} instances; {above:.0} % above that")
        }
        Quantity::Time => {
            format!(
                "{what} {most} on one thread of the machine that was measured on; {TIME_FACTOR} times that, and {above:.0} %, for busy and slower ones"
            )
        }
    }
}

/// Of a recorded launch.
fn of(launch: &Recorded, quantity: Quantity) -> Option<u64> {
    match quantity {
        Quantity::Fuel => launch.fuel,
        Quantity::Memory => Some(launch.memory_bytes),
        Quantity::Time => None,
    }
}

/// The recorded launches that are within what the profile allows for their sizes; of the others a note is made.
fn honest<'a>(
    profile: &Profile,
    recorded: &'a [Recorded],
    margin: Margin,
    notes: &mut Vec<String>,
) -> Vec<&'a Recorded> {
    let (mut honest, mut above, mut unknown) = (Vec::new(), Vec::new(), 0_usize);
    for launch in recorded {
        let is_known = profile
            .swept
            .keys()
            .all(|name| launch.sizes.contains_key(name));
        let allowed = profile.limit_at(Quantity::Fuel, &launch.sizes, margin);
        match (launch.fuel, allowed) {
            (Some(fuel), Some(allowed)) if is_known && fuel > allowed => above.push(fuel),
            (Some(_), Some(_)) if is_known => honest.push(launch),
            _ => unknown += 1,
        }
    }
    if !recorded.is_empty() {
        notes.push(format!(
            "of {} recorded launches {} took what the profile expects for their sizes",
            recorded.len(),
            honest.len()
        ));
    }
    if let Some(most) = above.iter().max() {
        notes.push(format!(
            "{} took more, up to {} fuel, and raise nothing: look at them with `hotcell audit query`",
            above.len(),
            Limit::Fuel.unit().format(*most)
        ));
    }
    if unknown > 0 {
        notes.push(format!(
            "{unknown} had sizes that their record does not show, or no fuel, and say nothing"
        ));
    }
    let observed = recorded
        .iter()
        .filter(|launch| !launch.observed.is_empty())
        .count();
    if observed > 0 {
        let mut limits: Vec<_> = recorded
            .iter()
            .flat_map(|launch| &launch.observed)
            .map(|breach| breach.limit)
            .collect();
        limits.sort_unstable();
        limits.dedup();
        let names: Vec<_> = limits.iter().map(|limit| limit.name()).collect();
        notes.push(format!(
            "{observed} passed limits that are only observed: {}",
            names.join(", ")
        ));
    }
    honest
}

/// A value as somebody would write it, never below.
pub(crate) fn rounded(quantity: Quantity, value: u64) -> u64 {
    const MIB: u64 = 1 << 20;
    match quantity {
        Quantity::Fuel | Quantity::Time => shortened(value),
        Quantity::Memory if value >= 4 * MIB => value.next_multiple_of(MIB),
        Quantity::Memory => value.next_multiple_of(PAGE_BYTES),
    }
}

/// With two digits, and what is below them rounded up.
fn shortened(value: u64) -> u64 {
    let mut step = 1;
    while value / step >= 100 {
        step *= 10;
    }
    value.div_ceil(step).saturating_mul(step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{linear, sizes};
    use hotcell::limit::Amount;

    fn value(suggestion: &Suggestion, limit: Limit) -> u64 {
        suggestion
            .limits
            .iter()
            .find(|one| one.limit == limit)
            .unwrap()
            .value
    }

    #[test]
    fn limits_are_a_margin_above_the_most_that_was_seen() {
        let profile = linear();
        let suggestion = suggest(&profile, &[], Margin::default()).unwrap();
        assert_eq!(suggestion.sizes["n"], 1_000_000);
        // 12 a size, and half more for the worst kind of arrays.
        let most = 1.5 * (12.0 * 1e6 + 5000.0);
        let fuel = number::of(value(&suggestion, Limit::Fuel));
        assert!(fuel >= 1.5 * most && fuel < 1.6 * most, "{fuel}");
        assert_eq!(suggestion.false_stops.stopped, 0);
        assert!(suggestion.false_stops.runs >= 100);
        assert_eq!(value(&suggestion, Limit::Memory) % PAGE_BYTES, 0);
        assert!(value(&suggestion, Limit::Timeout) >= SHORTEST_NS);
    }

    #[test]
    fn ten_times_the_work_is_above_the_limit_of_its_size() {
        let profile = linear();
        for n in [1000, 40_000, 1_000_000] {
            let at = sizes(&[("n", n)]);
            let limit = profile
                .limit_at(Quantity::Fuel, &at, Margin::default())
                .unwrap();
            let honest = 1.5 * (12.0 * number::of(n) + 5000.0);
            assert!(
                number::of(limit) > honest
                    && number::of(limit) < 10.0 * (12.0 * number::of(n) + 5000.0)
            );
        }
        assert_eq!(profile.false_stops_by_size(Margin::default()).stopped, 0);
    }

    #[test]
    fn without_a_margin_what_was_not_seen_is_stopped() {
        let mut profile = linear();
        for point in &mut profile.points {
            if point.purpose == Purpose::Honest {
                point.sample.fuel *= 2;
            }
        }
        let stops = profile.false_stops_by_size("0".parse().unwrap());
        assert!(
            stops.stopped > 0 && stops.at_most_percent() > 3.0,
            "{stops:?}"
        );
    }

    #[test]
    fn the_rate_is_that_of_the_rule_of_three_or_wilsons() {
        let rate = |stopped, runs| FalseStops { stopped, runs }.at_most_percent();
        assert_eq!(rate(0, 300), 1.0);
        assert_eq!((rate(0, 0), rate(0, 1)), (100.0, 100.0));
        assert!((rate(10, 1000) - 1.66).abs() < 0.1, "{}", rate(10, 1000));
        assert!(rate(5, 5) > 99.9);
    }

    #[test]
    fn honest_records_raise_limits_and_others_are_told_of() {
        let profile = linear();
        let at = |n, fuel| Recorded {
            sizes: sizes(&[("n", n)]),
            fuel: Some(fuel),
            ..Recorded::default()
        };
        let without = suggest(&profile, &[], Margin::default()).unwrap();
        let larger = suggest(&profile, &[at(4_000_000, 50_000_000)], Margin::default()).unwrap();
        assert!(value(&larger, Limit::Fuel) > value(&without, Limit::Fuel));
        let breach = Breach {
            limit: Limit::Fuel,
            amount: Amount::Used(900_000_000),
            maximum: 1,
        };
        let odd = Recorded {
            observed: vec![breach],
            ..at(1000, 900_000_000)
        };
        let odd = suggest(&profile, &[odd, Recorded::default()], Margin::default()).unwrap();
        assert_eq!(value(&odd, Limit::Fuel), value(&without, Limit::Fuel));
        let notes = odd.notes.join("\n");
        for says in ["1 took more", "1 had sizes", "only observed: fuel"] {
            assert!(notes.contains(says), "{notes}");
        }
    }

    #[test]
    fn margins_are_percentages() {
        assert_eq!("25%".parse::<Margin>().unwrap().factor(), 1.25);
        assert_eq!(Margin::default().percent(), 50.0);
        for text in ["", "-1", "half", "1001", "nan"] {
            assert!(text.parse::<Margin>().is_err(), "{text}");
        }
    }
}
