//! What a profile expects of a launch that is about to run, or that was stopped: its model at the launch's own sizes, and the
//! limit that fits there.
//!
//! A profile speaks of the component that it was taken of, and of launches like those that were measured: with other values of what
//! was not swept it says nothing.

use crate::fit::{Quantity, Sizes};
use crate::number;
use crate::record::Profile;
use crate::suggest::{Margin, rounded};
use hotcell::forecast::Forecast;
use hotcell::limit::Limit;
use hotcell::manifest::{Cost, ScalarValue};
use hotcell::{Digest, Forecaster, Metering, Prospect};

/// Why a profile says nothing of a launch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unlike {
    /// The component is another one.
    #[error("it was taken of another build of the kernel")]
    OtherComponent,
    /// The entry is.
    #[error("it was taken of the entry `{0}`")]
    OtherEntry(String),
    /// Something that was not swept has another value.
    #[error("it was taken with {name}={profiled}, and this launch has {name}={launched}")]
    OtherSize {
        /// The dimension or scalar.
        name: String,
        /// Its value in the profile.
        profiled: u64,
        /// Its value in the launch.
        launched: u64,
    },
}

impl Profile {
    /// The sizes by which the profile's models say something of a launch: its dimensions and whole scalars.
    ///
    /// # Errors
    /// It is no launch like those that were measured.
    pub fn sizes_of<'a>(
        &self,
        component: Digest,
        entry: &str,
        dims: impl IntoIterator<Item = (&'a String, &'a u64)>,
        scalars: impl IntoIterator<Item = (&'a String, &'a ScalarValue)>,
    ) -> Result<Sizes, Unlike> {
        if component != self.component {
            return Err(Unlike::OtherComponent);
        }
        if entry != self.entry {
            return Err(Unlike::OtherEntry(self.entry.clone()));
        }
        let dims = dims.into_iter().map(|(name, extent)| (name, *extent));
        let scalars = scalars
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.as_extent()?)));
        let sizes: Sizes = dims
            .chain(scalars)
            .map(|(name, size)| (name.clone(), size))
            .collect();
        match self.unlike(&sizes) {
            Some(unlike) => Err(unlike),
            None => Ok(sizes),
        }
    }

    /// Something that was not swept, and has another value there than where it was measured.
    fn unlike(&self, sizes: &Sizes) -> Option<Unlike> {
        let measured = self.points.iter().find(|point| point.sample.is_done())?;
        let others = measured
            .sizes
            .iter()
            .filter(|(name, _)| !self.swept.contains_key(*name));
        others.into_iter().find_map(|(name, constant)| {
            let launched = *sizes.get(name)?;
            // A dimension may have been a function of what was swept.
            let function = self.fixed.get(name).and_then(|text| Cost::parse(text).ok());
            let value = |of: &str| sizes.get(of).copied();
            let profiled = function.and_then(|cost| cost.evaluate(value).ok());
            let profiled = profiled.unwrap_or(*constant);
            (profiled != launched).then(|| Unlike::OtherSize {
                name: name.clone(),
                profiled,
                launched,
            })
        })
    }

    /// A size that is above all that were measured, where there is one: what is expected there is the model drawn further.
    pub fn beyond(&self, sizes: &Sizes) -> Option<(&str, u64)> {
        self.swept.iter().find_map(|(name, [_, high])| {
            let is_beyond = sizes.get(name).is_some_and(|size| size > high);
            is_beyond.then_some((name.as_str(), *high))
        })
    }

    /// How much of a limit a launch of those sizes is expected to take, metered that way; `None` for limits that profiles are not
    /// about. Memory is that of a launch whose chunks all run at once.
    pub fn expected_at(&self, limit: Limit, sizes: &Sizes, metering: Metering) -> Option<u64> {
        let quantity = quantity(limit)?;
        let one = self.predict(quantity, sizes)?;
        Some(number::ceil(match quantity {
            Quantity::Memory => one * number::of(self.shape.chunks(sizes)),
            Quantity::Fuel => one * self.fuel_in(metering),
            Quantity::Time => one,
        }))
    }

    /// Fuel in that metering for each unit of the profile.
    fn fuel_in(&self, metering: Metering) -> f64 {
        match metering {
            Metering::Strict => self.in_strict.unwrap_or(1.0),
            Metering::Fast | Metering::Deterministic => 1.0,
        }
    }

    /// A limit that fits launches of those sizes, metered that way, as a person writes it; `None` for limits that profiles are not about.
    pub fn fitting_at(
        &self,
        limit: Limit,
        sizes: &Sizes,
        metering: Metering,
        margin: Margin,
    ) -> Option<u64> {
        let quantity = quantity(limit)?;
        let value = self.limit_at(quantity, sizes, margin)?;
        let value = match quantity {
            Quantity::Fuel => number::ceil(number::of(value) * self.fuel_in(metering)),
            Quantity::Memory | Quantity::Time => value,
        };
        Some(rounded(quantity, value).min(limit.ceiling()))
    }

    /// What a quantity comes to, and where that is irregular the least that it comes to.
    fn likely(&self, quantity: Quantity, sizes: &Sizes) -> Option<u64> {
        let model = self.model(quantity)?;
        let foretold = self.predict(quantity, sizes)?;
        Some(number::ceil(match model.is_regular() {
            true => foretold,
            false => foretold * model.band[0].min(1.0),
        }))
    }
}

/// What a limit bounds, of that which profiles measure.
fn quantity(limit: Limit) -> Option<Quantity> {
    match limit {
        Limit::Fuel => Some(Quantity::Fuel),
        Limit::Memory => Some(Quantity::Memory),
        Limit::Timeout => Some(Quantity::Time),
        _ => None,
    }
}

impl Forecaster for Profile {
    fn forecast(&self, launch: &Prospect<'_>) -> Forecast {
        let pairs = |(name, value): &'_ (String, u64)| (name.clone(), *value);
        let dims: Sizes = launch.dims.iter().map(pairs).collect();
        let scalars = launch.scalars.iter().map(|(name, value)| (name, value));
        let sizes = self.sizes_of(launch.component, launch.entry, &dims, scalars);
        let likely = |quantity| self.likely(quantity, sizes.as_ref().ok()?);
        let in_launch = |fuel| number::ceil(number::of(fuel) * self.fuel_in(launch.metering));
        Forecast {
            fuel: likely(Quantity::Fuel).map(in_launch),
            memory_bytes: likely(Quantity::Memory),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Purpose;
    use crate::tests::{linear, sizes};
    use hotcell::Metering;

    fn forecast(profile: &Profile, component: Digest, n: u64, steps: i32) -> Forecast {
        profile.forecast(&Prospect {
            component,
            entry: "saxpy",
            metering: Metering::Strict,
            dims: &[("n".to_owned(), n)],
            scalars: &[("steps".to_owned(), ScalarValue::I32(steps))],
        })
    }

    #[test]
    fn a_launch_is_expected_to_take_what_the_models_say() {
        let profile = linear();
        let told = forecast(&profile, profile.component, 10_000_000, 1);
        assert_eq!(told.fuel, Some(12 * 10_000_000 + 5000));
        assert!(told.memory_bytes.unwrap() > 100 << 20);
        assert_eq!(
            profile.beyond(&sizes(&[("n", 10_000_000)])),
            Some(("n", 1_000_000))
        );
        let other = Digest::from_bytes([8; 32]);
        assert_eq!(forecast(&profile, other, 1000, 1), Forecast::default());
        let at = sizes(&[("n", 1000)]);
        let (strict, margin) = (Metering::Strict, Margin::default());
        assert_eq!(profile.expected_at(Limit::Fuel, &at, strict), Some(17_000));
        let fitting = profile.fitting_at(Limit::Fuel, &at, strict, margin);
        assert!(fitting.is_some_and(|value| (38_250..=39_000).contains(&value)));
        assert_eq!(
            profile.fitting_at(Limit::HostCalls, &at, strict, margin),
            None
        );
    }

    #[test]
    fn strict_metering_has_its_own_fuel() {
        let mut profile = linear();
        profile.in_strict = Some(0.5);
        let at = sizes(&[("n", 1000)]);
        let expected = |metering| profile.expected_at(Limit::Fuel, &at, metering);
        assert_eq!(expected(Metering::Strict), Some(8500));
        assert_eq!(expected(Metering::Deterministic), Some(17_000));
        assert_eq!(
            forecast(&profile, profile.component, 1000, 1).fuel,
            Some(8500)
        );
    }

    #[test]
    fn of_other_values_of_what_was_not_swept_nothing_is_said() {
        let mut profile = linear();
        for point in &mut profile.points {
            let n = point.sizes["n"];
            point
                .sizes
                .extend([("steps".to_owned(), 20), ("m".to_owned(), n + 1)]);
        }
        profile.fixed.insert("m".to_owned(), "n+1".to_owned());
        assert!(
            forecast(&profile, profile.component, 5000, 20)
                .fuel
                .is_some()
        );
        assert_eq!(
            forecast(&profile, profile.component, 5000, 200),
            Forecast::default()
        );
        let dims = sizes(&[("n", 10), ("m", 12)]);
        let unlike = profile
            .sizes_of(profile.component, "saxpy", &dims, [])
            .unwrap_err();
        assert_eq!(
            unlike.to_string(),
            "it was taken with m=11, and this launch has m=12"
        );
        let dims = sizes(&[("n", 10), ("m", 11)]);
        assert!(
            profile
                .sizes_of(profile.component, "saxpy", &dims, [])
                .is_ok()
        );
    }

    #[test]
    fn what_is_irregular_warns_where_even_the_least_is_too_much() {
        let mut profile = linear();
        let model = &mut profile.models[0];
        (model.irregular, model.band) = (Some("jumps".to_owned()), [0.5, 2.0]);
        assert!(profile.done(&[Purpose::Fitted]).next().is_some());
        let told = forecast(&profile, profile.component, 1000, 1);
        assert_eq!(told.fuel, Some(8500));
    }
}
