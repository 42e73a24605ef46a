//! A kernel that is a function, for tests.

use crate::fit::Sizes;
use crate::inputs::{Kind, Recipe};
use crate::record::{Profile, SCHEMA, Sample, Shape};
use crate::subject::{Measure, SubjectError};
use crate::take::{Settings, measure};
use hotcell::{Digest, Isolation, Metering};
use hotcell_model::outcome::OutcomeKind;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

type Fuel = Box<dyn Fn(&Sizes, &Recipe) -> u64>;

/// What takes a function's fuel, 64 ns each thousand of it, and a page each 5000 of `n`.
pub(crate) struct Function(Fuel);

impl Function {
    pub(crate) fn of(fuel: impl Fn(&Sizes, &Recipe) -> u64 + 'static) -> Self {
        Self(Box::new(fuel))
    }
}

impl Measure for Function {
    fn measure(&mut self, sizes: &Sizes, recipe: &Recipe, _: u32) -> Result<Sample, SubjectError> {
        let fuel = (self.0)(sizes, recipe);
        Ok(Sample {
            outcome: OutcomeKind::Done,
            message: String::new(),
            fuel,
            time_ns: 50_000 + fuel / 15,
            memory_bytes: (17 + sizes["n"].div_ceil(5000)) << 16,
            bytes_in: 8 * sizes["n"],
            bytes_out: 4 * sizes["n"],
            instances: 1,
            gpu_fuel: 0,
            gpu_time_ns: 0,
        })
    }

    fn sizes(&self, swept: &Sizes) -> Result<Sizes, SubjectError> {
        Ok(swept.clone())
    }
}

/// Sizes by name.
pub(crate) fn sizes(pairs: &[(&str, u64)]) -> Sizes {
    pairs
        .iter()
        .map(|(name, size)| ((*name).to_owned(), *size))
        .collect()
}

/// A profile of what takes 12 fuel a size and 5000, and half more where the elements descend.
pub(crate) fn linear() -> Profile {
    let mut subject = Function::of(|sizes, recipe| {
        let is_slow = recipe
            .fills
            .values()
            .any(|fill| fill.kind == Kind::Descending);
        let fuel = 12 * sizes["n"] + 5000;
        if is_slow { fuel + fuel / 2 } else { fuel }
    });
    let settings = Settings {
        sweeps: vec!["n=1k..1M".parse().unwrap()],
        search: 20,
        honest: 100,
        ..Settings::default()
    };
    let mut profile = Profile {
        schema: SCHEMA,
        component: Digest::from_bytes([7; 32]),
        name: "saxpy".to_owned(),
        entry: "saxpy".to_owned(),
        metering: Metering::Deterministic,
        isolation: Isolation::InProcess,
        host: "test".to_owned(),
        seed: 1,
        shape: Shape {
            signature: "(n),(n)->(n)".to_owned(),
            split: None,
            cost: None,
        },
        swept: BTreeMap::from([("n".to_owned(), [1000, 1_000_000])]),
        fixed: BTreeMap::new(),
        scalars: BTreeMap::new(),
        fills: BTreeMap::new(),
        points: Vec::new(),
        models: Vec::new(),
        worst: None,
        in_strict: None,
        gpu: None,
    };
    let arrays = ["x".to_owned(), "y".to_owned()];
    measure(&mut subject, &settings, &arrays, &mut profile, &mut |_| {
        ControlFlow::Continue(())
    })
    .unwrap();
    profile
}

#[test]
fn a_profile_has_models_of_what_was_measured() {
    use crate::fit::Quantity;
    let profile = linear();
    let fuel = profile.model(Quantity::Fuel).unwrap();
    assert_eq!(fuel.text, "12*n + 5000");
    for model in &profile.models {
        assert!(model.is_regular(), "{model:?}");
    }
    assert!((profile.worst.as_ref().unwrap().ratio_to_median - 1.5).abs() < 1e-3);
    let again = linear();
    assert_eq!(again.points, profile.points);
}
