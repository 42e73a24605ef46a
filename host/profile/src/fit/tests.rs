use super::*;
use crate::random::Random;
use hotcell_model::manifest::Cost;

fn sizes(pairs: &[(&str, u64)]) -> Sizes {
    pairs
        .iter()
        .map(|(name, size)| ((*name).to_owned(), *size))
        .collect()
}

/// What a function comes to at each of those sizes of `n`.
fn line(of: impl Fn(f64) -> f64, at: &[u64]) -> Vec<Observation> {
    let point = |n: &u64| Observation {
        sizes: sizes(&[("n", *n)]),
        value: of(number::of(*n)),
    };
    at.iter().map(point).collect()
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

const FITTED: [u64; 8] = [1000, 2683, 7197, 19307, 51795, 138950, 372759, 1_000_000];
const HELD_OUT: [u64; 4] = [1717, 11111, 90909, 654_321];

fn fuel_of(of: impl Fn(f64) -> f64) -> Model {
    let (fitted, held_out) = (line(&of, &FITTED), line(&of, &HELD_OUT));
    fit(Quantity::Fuel, &names(&["n"]), &fitted, &held_out)
}

#[test]
fn functions_of_one_size_are_found_as_they_are() {
    let log2ceil = |n: f64| n.log2().ceil();
    for (model, text) in [
        (fuel_of(|n| 2.375 * n + 1500.0), "19*n/8 + 1500"),
        (fuel_of(|_| 777.0), "777"),
        (fuel_of(|n| 3.0 * n * n), "3*n*n"),
        (
            fuel_of(|n| 5.0 * n * log2ceil(n) + 40.0 * n),
            "5*n*log2ceil(n) + 40*n",
        ),
    ] {
        assert_eq!(model.text, text);
        assert!(model.is_regular(), "{model:?}");
        assert!(model.held_out.max_percent < 0.1, "{model:?}");
    }
}

#[test]
fn a_models_text_is_a_cost_that_comes_to_what_the_model_foretells() {
    let model = fuel_of(|n| 17.25 * n + n * n / 3.0 + 912.0);
    let cost = Cost::parse(&model.text).unwrap();
    for n in HELD_OUT {
        let foretold = model.predict(&sizes(&[("n", n)])).unwrap();
        let written = number::of(cost.evaluate(|_| Some(n)).unwrap());
        assert!(
            (foretold - written).abs() < 4.0,
            "{}: {foretold} {written}",
            model.text
        );
    }
}

#[test]
fn products_of_several_sizes_are_found() {
    let mut random = Random::new(3, "grid");
    let mut points = |count: usize| -> Vec<Observation> {
        let mut size = || number::ceil(16.0 * 32.0_f64.powf(random.unit()));
        let mut point = || {
            let (m, k, n) = (size(), size(), size());
            let value = 2.5 * number::of(m * k * n) + 7.0 * number::of(m * n) + 3000.0;
            let sizes = sizes(&[("m", m), ("k", k), ("n", n)]);
            Observation { sizes, value }
        };
        (0..count).map(|_| point()).collect()
    };
    let (fitted, held_out) = (points(32), points(8));
    let model = fit(Quantity::Fuel, &names(&["m", "k", "n"]), &fitted, &held_out);
    assert_eq!(model.text, "5*k*m*n/2 + 7*m*n + 3000");
    assert!(model.is_regular() && model.held_out.max_percent < 0.01);
}

#[test]
fn noise_is_not_fitted_and_shows_in_the_band() {
    let mut random = Random::new(9, "noise");
    let mut noisy = |at: &[u64]| {
        let mut points = line(|n| 12.0 * n + 5000.0, at);
        for point in &mut points {
            point.value *= 1.0 + 0.02 * (random.unit() - 0.5);
        }
        points
    };
    let (fitted, held_out) = (noisy(&FITTED), noisy(&HELD_OUT));
    let model = fit(Quantity::Fuel, &names(&["n"]), &fitted, &held_out);
    assert!(model.is_regular(), "{model:?}");
    assert!(model.terms.len() <= 2, "{}", model.text);
    assert!(
        model.band[1] > 1.001 && model.band[1] < 1.03,
        "{:?}",
        model.band
    );
    let within = |point: &Observation| point.value <= model.upper(&point.sizes).unwrap();
    assert!(fitted.iter().chain(&held_out).all(within));
}

#[test]
fn what_is_no_function_of_the_size_is_irregular_and_says_how_far_off() {
    let by_chance = |n: f64| n * (1.0 + n.floor() % 7.0);
    let model = fuel_of(by_chance);
    let why = model.irregular.as_deref().unwrap();
    assert!(why.contains("% off") && why.contains("2 %"), "{why}");
    assert!(!fuel_of(|n| 1.001_f64.powf(n / 100.0)).is_regular());
    // All the same its band covers what was measured.
    for point in line(by_chance, &HELD_OUT) {
        assert!(
            model
                .upper(&point.sizes)
                .is_none_or(|upper| upper >= point.value * 0.999)
        );
    }
}

#[test]
fn what_is_taken_away_has_to_be_worth_it() {
    // The inner points of a plane, as a stencil visits them.
    let inner = |at: &[u64]| -> Vec<Observation> {
        let points = at.iter().flat_map(|h| at.iter().map(move |w| (*h, *w)));
        let point = |(h, w): (u64, u64)| Observation {
            sizes: sizes(&[("h", h), ("w", w)]),
            value: number::of(10 * (h - 2) * (w - 2)),
        };
        points.map(point).collect()
    };
    let (fitted, held_out) = (inner(&[8, 16, 37, 64, 128]), inner(&[11, 100]));
    let model = fit(Quantity::Fuel, &names(&["h", "w"]), &fitted, &held_out);
    assert_eq!(model.text, "10*h*w + 40 - 20*h - 20*w");
    assert!(
        fuel_of(|n| 8.0 * n + 3.0)
            .terms
            .iter()
            .all(|term| term.coefficient() > 0.0)
    );
}

#[test]
fn memory_is_fitted_between_pages_and_foretold_in_whole_ones() {
    let bytes = |n: f64| whole_pages(1_100_000.0 + 12.0 * n);
    let (fitted, held_out) = (line(bytes, &FITTED), line(bytes, &HELD_OUT));
    let model = fit(Quantity::Memory, &names(&["n"]), &fitted, &held_out);
    assert!(model.is_regular(), "{model:?}");
    assert!(model.held_out.max_percent < 5.0, "{model:?}");
    let foretold = model.predict(&sizes(&[("n", 500_000)])).unwrap();
    assert_eq!(number::ceil(foretold) % PAGE_BYTES, 0);
}

#[test]
fn too_few_points_and_unknown_sizes_are_no_panic() {
    let model = fit(Quantity::Time, &names(&["n"]), &line(|n| n, &[5]), &[]);
    assert!(!model.is_regular() && model.predict(&sizes(&[("n", 1)])).is_none());
    let zeros = line(|_| 0.0, &FITTED);
    assert!(!fit(Quantity::Fuel, &names(&["n"]), &zeros, &[]).is_regular());
    let model = fit(Quantity::Fuel, &names(&["n"]), &line(|n| n, &FITTED), &[]);
    assert!(model.is_regular() && model.predict(&Sizes::new()).is_none());
    assert_eq!(model.held_out, model.cross_validated);
}

#[test]
fn loops_that_do_several_elements_at_once_are_known_by_what_is_left_over() {
    let mut random = Random::new(5, "blocks");
    let mut points = |count: usize| -> Vec<Observation> {
        let mut size = || number::ceil(16.0 * 16.0_f64.powf(random.unit()));
        let mut point = || {
            let (h, w) = (size(), size());
            let value = number::of(h * (40 * (w / 8) + 23 * (w % 8)) + 9000);
            Observation {
                sizes: sizes(&[("h", h), ("w", w)]),
                value,
            }
        };
        (0..count).map(|_| point()).collect()
    };
    let (fitted, held_out) = (points(40), points(8));
    let model = fit(Quantity::Fuel, &names(&["h", "w"]), &fitted, &held_out);
    assert_eq!(model.text, "23*h*(w - w/8*8) + 40*h*(w/8) + 9000");
    assert!(
        model.is_regular() && model.held_out.max_percent < 0.01,
        "{model:?}"
    );
    let cost = Cost::parse(&model.text).unwrap();
    let at = sizes(&[("h", 100), ("w", 123)]);
    let written = cost.evaluate(|name| at.get(name).copied()).unwrap();
    assert_eq!(number::of(written), model.predict(&at).unwrap());
}
