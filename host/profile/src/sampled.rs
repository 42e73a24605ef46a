//! Where time goes inside: an entry's dearest launch, made again with its stack looked at.

use crate::inputs::Recipe;
use crate::record::Profile;
use crate::subject::Subject;
use hotcell_model::samples::Samples;
use std::time::{Duration, Instant};

/// Between two looks: as often as a guest can be looked at.
const PERIOD: Duration = Duration::from_millis(1);
/// As many looks are enough for a picture,
const ENOUGH: u64 = 500;
/// and so long is long enough to wait for them.
const PATIENCE: Duration = Duration::from_secs(3);

/// Launches what took the most fuel of a profile again, as often as it takes to have looked at it often enough.
///
/// `None` where nothing of the profile was done, or no launch lasted until a look.
pub fn sampled(subject: &Subject<'_>, profile: &Profile) -> Option<Samples> {
    let done = profile.points.iter().filter(|point| point.sample.is_done());
    let dearest = done.max_by_key(|point| point.sample.fuel)?;
    let recipe: Recipe = dearest.recipe.parse().ok()?;
    let request = subject.request(&dearest.sizes, &recipe).ok()?;
    let mut all = Samples::every(PERIOD);
    let begun = Instant::now();
    while all.total().samples < ENOUGH && begun.elapsed() < PATIENCE {
        let request = request.clone().sample_every(PERIOD);
        let ended = subject.cell().run(subject.component(), request);
        let samples = ended.samples?;
        for stack in samples.stacks() {
            let functions: Vec<_> = stack.functions.into_iter().cloned().collect();
            let position = all.place(&functions, stack.is_cut);
            all.count(position, stack.count);
        }
        all.count(None, samples.elsewhere());
    }
    (all.total().samples > 0).then_some(all)
}
