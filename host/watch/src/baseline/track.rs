//! One figure against what is usual of it: what is far off, what is learned, and when a new level is the usual one.
//!
//! A value is far off when its modified z-score is above 3.5 (B. Iglewicz and D. C. Hoaglin, "How to Detect and Handle Outliers",
//! ASQC Quality Press 1993: 0.6745 times the distance from the median, over the MAD), *and* it is several times the median,
//! *and* it exceeds the median by an amount that matters. The second keeps figures that hardly vary from alerting at every breath,
//! the third keeps small ones from it. A value that is more than [`MOST`] times the median is far off however much they vary.
//!
//! What is far off is not learned. A lasting change would then be far off for ever: where so many values of one source in a row
//! are far off and near each other, they are what is usual of that source from then on. Its earlier values go, and those of others
//! stay: if they say that it is far off still, it is.
//!
//! What a process has judged is kept in order until it is stored ([`Step`]), so that joining it with what others stored is
//! doing the same steps again.

use crate::baseline::steps::{self, DOUBLING};
use crate::baseline::window::{VALUES, Value, Window, whose_leaves};
use std::collections::VecDeque;

/// Before so many values are known, nothing is far off.
pub(crate) const ENOUGH: usize = 12;

/// So many values in a row that are far off, and near each other, are a new level.
pub(crate) const LASTING: usize = 16;

/// How many values that are far off are kept, of all sources: those of fifteen that have almost enough.
pub(crate) const FAR_VALUES: usize = 240;

/// How near each other they have to be: within a factor of three. log2(3) is 1.585.
const NEAR: i32 = 1623;

/// Above eight times the median, variation is no excuse.
const MOST: i32 = 3 * DOUBLING;

/// When a figure is far off.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    /// How many times the median it is at least, in steps.
    pub(crate) ratio: i32,
    /// By how much it exceeds what is usual, at least, in the figure's unit.
    pub(crate) excess: u64,
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// As usual, or too little is known.
    Usual,
    /// Far off.
    Far(Usual),
    /// Far off, as all were for some time: this is what is usual from now on.
    NewLevel(Usual),
}

/// What was usual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Usual {
    /// The median, in the figure's unit.
    pub(crate) amount: u64,
    /// Of how many values.
    pub(crate) values: usize,
}

/// What is known of one figure, as it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    /// The last values that were as usual.
    pub(crate) values: Vec<Value>,
    /// Of each source, the last values in a row that were far off.
    pub(crate) far: Vec<Value>,
}

/// A value that was judged and is not in the store yet.
#[derive(Clone, Copy, Debug)]
struct Step {
    value: Value,
    is_far: bool,
    /// How many were judged before.
    number: u64,
}

/// One figure of one class.
#[derive(Clone, Debug, Default)]
pub(crate) struct Track {
    window: Window,
    /// Of each source, values in a row that were far off.
    far: Vec<Value>,
    /// What the store does not have yet.
    steps: VecDeque<Step>,
    /// How many values were judged.
    judged: u64,
}

impl Track {
    /// A figure with what was stored.
    pub(crate) fn of(known: &Known) -> Self {
        Self {
            window: Window::of(&known.values),
            far: known.far.clone(),
            ..Self::default()
        }
    }

    /// What is usual, where levels are relative to `base`; `None` if too little is known.
    pub(crate) fn usual(&self, base: u64) -> Option<Usual> {
        (self.window.count() >= ENOUGH).then(|| Usual {
            amount: steps::amount(self.window.median() + steps::steps(base)),
            values: self.window.count(),
        })
    }

    /// Holds an amount against what is usual, without learning. Levels are relative to `base`, which is 1 for plain amounts.
    pub(crate) fn check(&self, amount: u64, base: u64, rule: Rule) -> Option<Usual> {
        if self.window.count() < ENOUGH {
            return None;
        }
        let above = steps::steps(amount) - steps::steps(base) - self.window.median();
        // 3.5 / 0.6745 = 5.19.
        let varied = self.window.spread().saturating_mul(519) / 100;
        if above <= varied.clamp(rule.ratio, MOST.max(rule.ratio)) {
            return None;
        }
        let usual = self.usual(base)?;
        (amount.saturating_sub(usual.amount) >= rule.excess).then_some(usual)
    }

    /// Holds an amount against what is usual, and learns it if it is.
    pub(crate) fn judge(&mut self, amount: u64, base: u64, source: u32, rule: Rule) -> Verdict {
        let value = Value {
            level: steps::steps(amount) - steps::steps(base),
            source,
        };
        let far = self.check(amount, base, rule);
        let is_new_level = self.step(value, far.is_some());
        self.note(value, far.is_some());
        match far {
            None => Verdict::Usual,
            // Where others have more to say, it stays far off.
            Some(usual) if is_new_level && self.check(amount, base, rule).is_none() => {
                Verdict::NewLevel(usual)
            }
            Some(usual) => Verdict::Far(usual),
        }
    }

    /// Takes in a value that was judged. Says whether its source has a new level.
    fn step(&mut self, value: Value, is_far: bool) -> bool {
        let is_own = |other: &Value| other.source == value.source;
        if !is_far {
            self.far.retain(|other| !is_own(other));
            self.window.learn(value);
            return false;
        }
        if self.far.iter().filter(|other| is_own(other)).count() >= LASTING
            && let Some(oldest) = self.far.iter().position(is_own)
        {
            self.far.remove(oldest);
        }
        if self.far.len() >= FAR_VALUES {
            self.forget_the_shortest();
        }
        self.far.push(value);
        let run: Vec<Value> = self.far.iter().copied().filter(is_own).collect();
        if !is_lasting(&run) {
            return false;
        }
        self.far.retain(|other| !is_own(other));
        self.window.forget(value.source);
        run.into_iter().for_each(|value| self.window.learn(value));
        true
    }

    /// Forgets what was far off of the source that has the least of it, so that those which have almost enough are not kept from it.
    fn forget_the_shortest(&mut self) {
        let count = |source: u32| {
            let own = self.far.iter().filter(|value| value.source == source);
            own.count()
        };
        let sources = self.far.iter().map(|value| value.source);
        if let Some(shortest) = sources.min_by_key(|source| count(*source)) {
            self.far.retain(|value| value.source != shortest);
        }
    }

    /// Keeps what was judged for the store: as many as a window has, by the same shares.
    fn note(&mut self, value: Value, is_far: bool) {
        if self.steps.len() >= VALUES {
            let values = self.steps.iter().map(|step| step.value);
            let leaves = whose_leaves(values, value.source);
            self.steps.remove(leaves);
        }
        let number = self.judged;
        self.judged += 1;
        self.steps.push_back(Step {
            value,
            is_far,
            number,
        });
    }

    /// Whether something was judged that is not in the store.
    pub(crate) fn is_fresh(&self) -> bool {
        !self.steps.is_empty()
    }

    /// What to store, where others have stored that meanwhile.
    pub(crate) fn merged(&self, stored: &Known) -> Known {
        let mut merged = Self::of(stored);
        for step in &self.steps {
            merged.step(step.value, step.is_far);
        }
        Known {
            values: merged.window.values().to_vec(),
            far: merged.far,
        }
    }

    /// Notes that this was stored, in which there is all that an earlier state of this track had.
    pub(crate) fn stored(&mut self, known: &Known, earlier: &Self) {
        self.steps.retain(|step| step.number >= earlier.judged);
        let mut joined = Self::of(known);
        for step in &self.steps {
            joined.step(step.value, step.is_far);
        }
        (self.window, self.far) = (joined.window, joined.far);
    }
}

/// Whether values of one source are enough for a new level, and near each other.
fn is_lasting(run: &[Value]) -> bool {
    let levels = || run.iter().map(|value| value.level);
    let (Some(least), Some(most)) = (levels().min(), levels().max()) else {
        return false;
    };
    run.len() >= LASTING && most - least <= NEAR
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Rule = Rule {
        ratio: NEAR,
        excess: 50,
    };

    fn taught(amounts: impl IntoIterator<Item = u64>) -> Track {
        let mut track = Track::default();
        for amount in amounts {
            assert_eq!(track.judge(amount, 1, 0, RULE), Verdict::Usual);
        }
        track
    }

    fn around_100() -> Track {
        taught((0..40).map(|at| 90 + at % 20))
    }

    #[test]
    fn what_is_far_off_is_said_with_what_is_usual_and_is_not_learned() {
        let mut track = around_100();
        let before = track.window.values().to_vec();
        let Verdict::Far(usual) = track.judge(500, 1, 0, RULE) else {
            panic!("500 is far off");
        };
        assert!((95..105).contains(&usual.amount), "{usual:?}");
        assert_eq!(usual.values, 40);
        assert_eq!(track.window.values(), before);
        assert_eq!(track.judge(200, 1, 0, RULE), Verdict::Usual);
    }

    #[test]
    fn small_amounts_and_few_values_are_never_far_off() {
        let mut small = taught([10; 40]);
        assert_eq!(small.judge(59, 1, 0, RULE), Verdict::Usual);
        assert!(matches!(small.judge(61, 1, 0, RULE), Verdict::Far(_)));
        let mut few = taught([100; ENOUGH - 1]);
        assert_eq!(few.judge(100_000, 1, 0, RULE), Verdict::Usual);
    }

    #[test]
    fn what_varies_much_may_vary_and_not_without_end() {
        // By a factor of 16 up and down.
        let mut track = taught((0..60).map(|at| 1000 << (at % 5)));
        assert_eq!(track.judge(4000 * 7, 1, 0, RULE), Verdict::Usual);
        assert!(matches!(
            track.judge(4000 * 10, 1, 0, RULE),
            Verdict::Far(_)
        ));
    }

    #[test]
    fn a_lasting_change_is_the_new_level_and_said_once() {
        let mut track = around_100();
        for _ in 1..LASTING {
            assert!(matches!(track.judge(600, 1, 0, RULE), Verdict::Far(_)));
        }
        assert!(matches!(track.judge(600, 1, 0, RULE), Verdict::NewLevel(_)));
        assert_eq!(track.judge(600, 1, 0, RULE), Verdict::Usual);
        assert!(matches!(track.judge(6000, 1, 0, RULE), Verdict::Far(_)));
    }

    #[test]
    fn what_is_usual_now_and_then_is_no_change() {
        let mut track = around_100();
        for _ in 0..10 {
            for _ in 1..LASTING {
                assert!(matches!(track.judge(600, 1, 0, RULE), Verdict::Far(_)));
            }
            assert_eq!(track.judge(100, 1, 0, RULE), Verdict::Usual);
        }
        // Nor are values that are far from each other.
        for at in 0..100 {
            let far = track.judge(600 << (at % 4), 1, 0, RULE);
            assert!(matches!(far, Verdict::Far(_)), "{at}");
        }
    }

    fn values(level: i32, source: u32, count: usize) -> Vec<Value> {
        vec![Value { level, source }; count]
    }

    #[test]
    fn what_others_stored_and_what_is_fresh_are_joined_once() {
        let mut track = Track::of(&Known {
            values: values(7, 0, 3),
            far: Vec::new(),
        });
        let _ = track.judge(100, 1, 0, RULE);
        let earlier = track.clone();
        let others = Known {
            values: values(9, 1, 5),
            far: values(5000, 1, 2),
        };
        let merged = earlier.merged(&others);
        assert_eq!((merged.values.len(), merged.far.len()), (6, 2));
        let _ = track.judge(200, 1, 0, RULE);
        track.stored(&merged, &earlier);
        assert_eq!((track.window.count(), track.steps.len()), (7, 1));
        assert!(track.is_fresh());
        let earlier = track.clone();
        track.stored(&earlier.merged(&merged), &earlier);
        assert!(!track.is_fresh());
        assert_eq!((track.window.count(), track.far.len()), (7, 2));
    }

    #[test]
    fn a_lasting_change_is_seen_by_processes_that_judge_once_each() {
        let mut known = Known::default();
        let mut verdicts = Vec::new();
        for at in 0..60 {
            let mut track = Track::of(&known);
            let amount = if at < 40 { 100 } else { 600 };
            verdicts.push(track.judge(amount, 1, 0, RULE));
            assert!(track.is_fresh());
            known = track.merged(&known);
        }
        let is_far = |verdict: &&Verdict| matches!(verdict, Verdict::Far(_));
        assert_eq!(verdicts.iter().filter(is_far).count(), LASTING - 1);
        assert!(matches!(verdicts[40 + LASTING - 1], Verdict::NewLevel(_)));
        assert_eq!(known.values.len(), 20);
    }

    #[test]
    fn a_source_has_a_new_level_of_its_own_alone() {
        let mut track = Track::default();
        for _ in 0..31 {
            let _ = track.judge(100, 1, 1, RULE);
            let _ = track.judge(100, 1, 2, RULE);
        }
        for round in 0..100 {
            // What others have as usual between them changes nothing.
            let far = track.judge(600, 1, 2, RULE);
            assert!(matches!(far, Verdict::Far(_)), "{round}");
            if round % 5 == 0 {
                assert_eq!(track.judge(100, 1, 1, RULE), Verdict::Usual);
            }
        }
        let of_1 = track.window.values().iter().filter(|one| one.source == 1);
        assert!(of_1.count() >= 31);
        // What all have is the new level of all.
        let verdicts: Vec<Verdict> = (0..LASTING).map(|_| track.judge(600, 1, 1, RULE)).collect();
        assert!(matches!(verdicts[LASTING - 1], Verdict::NewLevel(_)));
        assert_eq!(track.judge(600, 1, 2, RULE), Verdict::Usual);
    }

    #[test]
    fn a_new_level_leaves_what_others_stored() {
        let mut track = Track::of(&Known {
            values: values(steps::steps(100), 2, 20),
            far: Vec::new(),
        });
        for _ in 0..LASTING {
            let _ = track.judge(600, 1, 2, RULE);
        }
        let others = Known {
            values: [
                values(steps::steps(100), 1, 40),
                values(steps::steps(100), 2, 20),
            ]
            .concat(),
            far: Vec::new(),
        };
        let merged = track.merged(&others).values;
        let of = |source| merged.iter().filter(|one| one.source == source).count();
        assert_eq!((of(1), of(2)), (40, LASTING));
    }

    #[test]
    fn what_is_far_off_is_bounded_over_all_sources() {
        let mut track = around_100();
        for source in 0..1000 {
            for at in 0..5 {
                let _ = track.judge(600 << (at % 4), 1, source, RULE);
            }
        }
        assert!(track.far.len() <= FAR_VALUES);
        for at in 0..LASTING {
            let verdict = track.judge(600, 1, 7000, RULE);
            let is_new_level = matches!(verdict, Verdict::NewLevel(_));
            // The window has forty values of others.
            assert!(!is_new_level, "{at}");
        }
        assert!(track.window.values().iter().any(|one| one.source == 7000));
    }
}
