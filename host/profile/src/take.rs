//! Taking a profile: every launch of it, in order.

use crate::dearest::gpu;
use crate::fit::{Model, Observation, Quantity, Sizes, fit};
use crate::inputs::{Given, Kind, Recipe};
use crate::number;
use crate::random::Random;
use crate::record::{CHUNKS, PART, Point, Profile, Purpose, SCHEMA, Sample, Shape};
use crate::subject::{Measure, Subject, SubjectError};
use crate::sweep::{MOST, Sweep, any, largest, plan};
use crate::worst::{Search, recipe};
use hotcell::Metering;
use hotcell_model::outcome::OutcomeKind;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// What is measured, and how much of it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What goes through which sizes.
    pub sweeps: Vec<Sweep>,
    /// What the author says of arrays.
    pub given: BTreeMap<String, Given>,
    /// What all that is random is a function of.
    pub seed: u64,
    /// How often each point is launched for its time.
    pub repeats: u32,
    /// Launches that look for the worst.
    pub search: u32,
    /// Launches that no limit should stop: 300 of which none is stopped say that fewer than one in a hundred are.
    pub honest: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sweeps: Vec::new(),
            given: BTreeMap::new(),
            seed: 1,
            repeats: 3,
            search: 48,
            honest: 300,
        }
    }
}

/// Why there is no profile.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// Nothing can be launched.
    #[error(transparent)]
    Subject(#[from] SubjectError),
    /// Nothing is swept.
    #[error("nothing is swept; say what goes through which sizes: --sweep {0}=1k..1M")]
    NothingSwept(String),
    /// Too much is.
    #[error("{0} sizes are swept, and at most {MOST} can be at once; fix some with --dim NAME=N")]
    TooManySwept(usize),
    /// Something is swept and fixed, or swept twice.
    #[error("`{0}` is given twice; sweep it or fix it, once")]
    Twice(String),
    /// An array is described that the entry does not read.
    #[error("--fill {name}: the entry reads no array of that name; it reads: {known}")]
    UnknownArray {
        /// The name.
        name: String,
        /// Those that it reads.
        known: String,
    },
    /// Whoever watched stopped it.
    #[error("the profile was stopped before it was done")]
    Stopped,
    /// No launch was done.
    #[error(
        "no launch was done; the first ended as {outcome}: {message}. If it is the arrays that the kernel does not take, say what they are: --fill NAME=0..n, --fill NAME=ascending:0..=n"
    )]
    NothingDone {
        /// How the first ended.
        outcome: OutcomeKind,
        /// What was said of it.
        message: String,
    },
}

/// What is going on while a profile is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// In words.
    pub stage: &'static str,
    /// Launches that are over.
    pub done: usize,
    /// All of them, as far as is known.
    pub total: usize,
}

/// Whoever watches: told before each launch, and asked whether to go on.
pub type Watcher<'a> = &'a mut dyn FnMut(Progress) -> ControlFlow<()>;

/// Takes a profile of an entry.
///
/// # Errors
/// What is asked for does not fit the entry, no launch of it is done, or whoever watches stops it.
pub fn take(
    subject: &mut Subject<'_>,
    settings: &Settings,
    host: &str,
    progress: Watcher<'_>,
) -> Result<Profile, ProfileError> {
    let kernel = subject.kernel();
    let read = kernel.arrays().iter().filter(|array| array.role.is_read());
    let arrays: Vec<String> = read.map(|array| array.name.clone()).collect();
    let dims = kernel.dims().first().cloned();
    check(settings, subject, &arrays, dims)?;
    let text = |(name, given): (&String, &Given)| {
        let text = match given {
            Given::Fill(fill) => fill.to_string(),
            Given::Bounds(bounds) => bounds.to_string(),
        };
        (name.clone(), text)
    };
    let swept = settings.sweeps.iter();
    let swept = swept.map(|sweep| {
        let (low, high) = sweep.extents.ends();
        (sweep.name.clone(), [low, high])
    });
    let fixed = subject.fixed().iter();
    let fixed = fixed.map(|(name, cost)| (name.clone(), cost.to_string()));
    let mut profile = Profile {
        schema: SCHEMA,
        component: subject.component().digest(),
        name: String::new(),
        entry: kernel.name().to_owned(),
        metering: subject.metering(),
        isolation: subject.cell().isolation(),
        host: host.to_owned(),
        seed: settings.seed,
        shape: subject.shape(),
        swept: swept.collect(),
        fixed: fixed.collect(),
        scalars: subject.scalars().clone(),
        fills: settings.given.iter().map(text).collect(),
        points: Vec::new(),
        models: Vec::new(),
        worst: None,
        in_strict: None,
        gpu: None,
    };
    measure(subject, settings, &arrays, &mut profile, progress)?;
    profile.in_strict = in_strict(subject, &profile);
    profile.gpu = gpu(subject, &profile);
    Ok(profile)
}

/// What fuel comes to in strict metering, which is what launches have unless they ask for more.
fn in_strict(subject: &Subject<'_>, profile: &Profile) -> Option<f64> {
    if profile.metering == Metering::Strict {
        return None;
    }
    let done = profile.done(&[Purpose::Fitted, Purpose::HeldOut]);
    let dearest = done.max_by_key(|point| point.sample.fuel)?;
    let recipe: Recipe = dearest.recipe.parse().ok()?;
    let request = subject.request(&dearest.sizes, &recipe).ok()?;
    let strict = request.metering(Metering::Strict);
    let report = subject.cell().run(subject.component(), strict).report;
    let fuel = report
        .usage
        .fuel_used
        .filter(|_| report.outcome.kind == OutcomeKind::Done)?;
    Some(number::of(fuel) / number::of(dearest.sample.fuel.max(1)))
}

fn check(
    settings: &Settings,
    subject: &Subject<'_>,
    arrays: &[String],
    dim: Option<String>,
) -> Result<(), ProfileError> {
    let sweeps = &settings.sweeps;
    if sweeps.is_empty() {
        return Err(ProfileError::NothingSwept(
            dim.unwrap_or_else(|| "n".to_owned()),
        ));
    }
    if sweeps.len() > MOST {
        return Err(ProfileError::TooManySwept(sweeps.len()));
    }
    subject.check_swept(sweeps.iter().map(|sweep| sweep.name.as_str()))?;
    let is_twice = |(at, sweep): &(usize, &Sweep)| {
        let earlier = sweeps[..*at]
            .iter()
            .any(|earlier| earlier.name == sweep.name);
        earlier || subject.fixed().contains_key(&sweep.name)
    };
    if let Some((_, sweep)) = sweeps.iter().enumerate().find(is_twice) {
        return Err(ProfileError::Twice(sweep.name.clone()));
    }
    match settings.given.keys().find(|name| !arrays.contains(name)) {
        Some(name) => Err(ProfileError::UnknownArray {
            name: name.clone(),
            known: match arrays.is_empty() {
                true => "none".to_owned(),
                false => arrays.join(", "),
            },
        }),
        None => Ok(()),
    }
}

/// Launches everything, and fits.
pub(crate) fn measure(
    subject: &mut dyn Measure,
    settings: &Settings,
    arrays: &[String],
    profile: &mut Profile,
    progress: Watcher<'_>,
) -> Result<(), ProfileError> {
    let plan = plan(&settings.sweeps, settings.seed);
    let others = Kind::ALL.len() - 1;
    let (search, honest) = (settings.search as usize, settings.honest as usize);
    let total = plan.fitted.len() + plan.held_out.len() + others + search + honest;
    let mut tell = |stage, done| match progress(Progress { stage, done, total }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(ProfileError::Stopped),
    };
    let of_kind = |kind, seed| recipe(arrays, &settings.given, kind, seed);
    let mut launch =
        |swept: &Sizes, kind: Kind, seed: u64, purpose, repeats, points: &mut Vec<Point>| {
            let (sizes, recipe) = (subject.sizes(swept)?, of_kind(kind, seed));
            let sample = subject.measure(&sizes, &recipe, repeats)?;
            points.push(Point {
                purpose,
                sizes,
                recipe: recipe.to_string(),
                sample,
            });
            Ok::<(), SubjectError>(())
        };

    // The first launch compiles, and finds nothing warm.
    if let Some(swept) = plan.fitted.first() {
        tell("warming up", 0)?;
        launch(
            swept,
            Kind::Uniform,
            settings.seed,
            Purpose::Fitted,
            1,
            &mut Vec::new(),
        )?;
    }
    for (sizes, purpose) in [
        (&plan.fitted, Purpose::Fitted),
        (&plan.held_out, Purpose::HeldOut),
    ] {
        for swept in sizes {
            tell("sizes", profile.points.len())?;
            // Each point has elements of its own, so that what depends on them shows as an error.
            let seed = settings.seed.wrapping_add(profile.points.len() as u64);
            launch(
                swept,
                Kind::Uniform,
                seed,
                purpose,
                settings.repeats,
                &mut profile.points,
            )?;
        }
    }
    if !profile.points.iter().any(|point| point.sample.is_done()) {
        let first = profile.points.first().map(|point| &point.sample);
        return Err(ProfileError::NothingDone {
            outcome: first.map_or(OutcomeKind::Usage, |sample| sample.outcome),
            message: first
                .map(|sample| sample.message.clone())
                .unwrap_or_default(),
        });
    }
    profile.models = models(&profile.points, &profile.shape, &settings.sweeps);
    let whole = largest(&settings.sweeps);
    for kind in &Kind::ALL[1..] {
        tell("kinds of arrays", profile.points.len())?;
        launch(
            &whole,
            *kind,
            settings.seed,
            Purpose::Kinds,
            1,
            &mut profile.points,
        )?;
    }
    let mut random = Random::new(settings.seed, "honest");
    for run in 0..settings.honest {
        tell("honest launches", profile.points.len())?;
        // A third of them at the largest sizes, where limits are nearest; half of them on ordinary arrays.
        let swept = match run % 3 {
            0 => whole.clone(),
            _ => any(&settings.sweeps, &mut random),
        };
        let kind = match run % 2 {
            0 => Kind::Uniform,
            _ => random.one_of(&Kind::ALL).copied().unwrap_or(Kind::Uniform),
        };
        let seed = random.next() >> 32;
        launch(&swept, kind, seed, Purpose::Honest, 1, &mut profile.points)?;
    }
    tell("the worst", profile.points.len())?;
    let (shape, models) = (profile.shape.clone(), &profile.models);
    let fuel = models.iter().find(|model| model.quantity == Quantity::Fuel);
    let fuel = fuel.filter(|model| model.is_regular());
    let elements = |sizes: &Sizes| shape.elements(sizes);
    let expected = |sizes: &Sizes| {
        let foretold = fuel.and_then(|model| model.predict(&shape.with_chunks(sizes)));
        foretold.unwrap_or_else(|| number::of(elements(sizes)))
    };
    let search = Search {
        sweeps: &settings.sweeps,
        arrays,
        given: &settings.given,
        expected: &expected,
        elements: &elements,
        launches: settings.search,
        seed: settings.seed,
    };
    profile.worst = search.run(subject)?;
    tell("done", total)?;
    Ok(())
}

/// A model of each quantity, over the sizes that are swept.
fn models(points: &[Point], shape: &Shape, sweeps: &[Sweep]) -> Vec<Model> {
    let names: Vec<String> = sweeps.iter().map(|sweep| sweep.name.clone()).collect();
    let is_cut = points.iter().any(|point| point.sample.instances > 1);
    Quantity::ALL
        .map(|quantity| {
            let mut names = names.clone();
            match quantity {
                // What every chunk does again is paid for by each.
                Quantity::Fuel | Quantity::Time if is_cut => names.push(CHUNKS.to_owned()),
                // An instance has its own part alone.
                Quantity::Memory if is_cut => {
                    names.retain(|name| Some(name) != shape.split.as_ref());
                    names.push(PART.to_owned());
                }
                _ => {}
            }
            let observed = |purpose: Purpose| -> Vec<Observation> {
                let of = points
                    .iter()
                    .filter(|point| point.purpose == purpose && point.sample.is_done());
                of.map(|point| Observation {
                    sizes: shape.with_chunks(&point.sizes),
                    value: number::of(amount(quantity, &point.sample)),
                })
                .collect()
            };
            fit(
                quantity,
                &names,
                &observed(Purpose::Fitted),
                &observed(Purpose::HeldOut),
            )
        })
        .to_vec()
}

/// How much of a quantity was measured.
pub(crate) fn amount(quantity: Quantity, sample: &Sample) -> u64 {
    match quantity {
        Quantity::Fuel => sample.fuel,
        Quantity::Memory => sample.memory_bytes,
        Quantity::Time => sample.time_ns,
    }
}
