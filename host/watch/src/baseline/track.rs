//! One figure against what is usual of it: what is far off, what is learned, and when a new level is the usual one.
//!
//! A value is far off when its modified z-score is above 3.5 (B. Iglewicz and D. C. Hoaglin, "How to Detect and Handle Outliers",
//! ASQC Quality Press 1993: 0.6745 times the distance from the median, over the MAD), *and* it is several times the median,
//! *and* it exceeds the median by an amount that matters. The second keeps figures that hardly vary from alerting at every breath,
//! the third keeps small ones from it. A value that is more than [`MOST`] times the median is far off however much they vary.
//!
//! What is far off is not learned. A lasting change would then be far off for ever: where so many values in a row are far off
//! and near each other, they are what is usual from then on, and that is said once.

use crate::baseline::steps::{self, DOUBLING};
use crate::baseline::window::{Value, Window};

/// Before so many values are known, nothing is far off.
pub(crate) const ENOUGH: usize = 12;

/// So many values in a row that are far off, and near each other, are a new level.
pub(crate) const LASTING: usize = 16;

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

/// One figure of one class.
#[derive(Clone, Debug, Default)]
pub(crate) struct Track {
    window: Window,
    /// Values in a row that were far off.
    run: Vec<Value>,
    /// How many of the window's last values are not in the store yet.
    fresh: usize,
    /// Whether the window has none of what the store has.
    is_new_level: bool,
}

impl Track {
    /// A figure with the values that were stored.
    pub(crate) fn of(values: &[Value]) -> Self {
        Self {
            window: Window::of(values),
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
        let Some(usual) = self.check(amount, base, rule) else {
            self.run.clear();
            self.learn(value);
            return Verdict::Usual;
        };
        if self.run.len() >= LASTING {
            self.run.remove(0);
        }
        self.run.push(value);
        if !self.is_lasting() {
            return Verdict::Far(usual);
        }
        self.window = Window::of(&std::mem::take(&mut self.run));
        self.fresh = self.window.count();
        self.is_new_level = true;
        Verdict::NewLevel(usual)
    }

    fn is_lasting(&self) -> bool {
        let levels = || self.run.iter().map(|value| value.level);
        let (Some(least), Some(most)) = (levels().min(), levels().max()) else {
            return false;
        };
        self.run.len() >= LASTING && most - least <= NEAR
    }

    fn learn(&mut self, value: Value) {
        self.window.learn(value);
        self.fresh = (self.fresh + 1).min(self.window.count());
    }

    /// The values that are known.
    pub(crate) fn values(&self) -> &[Value] {
        self.window.values()
    }

    /// How many of them are not in the store.
    pub(crate) fn fresh(&self) -> usize {
        self.fresh
    }

    /// The values to store, where others have stored those meanwhile.
    pub(crate) fn merged(&self, stored: &[Value]) -> Vec<Value> {
        if self.is_new_level {
            return self.values().to_vec();
        }
        let mut window = Window::of(stored);
        let from = self.values().len().saturating_sub(self.fresh);
        for value in self.values().iter().skip(from) {
            window.learn(*value);
        }
        window.values().to_vec()
    }

    /// Notes that those values were stored, the first `fresh` that were not among them.
    pub(crate) fn stored(&mut self, values: &[Value], fresh: usize) {
        let later = self.fresh.saturating_sub(fresh);
        let mut window = Window::of(values);
        let from = self.values().len().saturating_sub(later);
        for value in self.values().iter().skip(from) {
            window.learn(*value);
        }
        self.window = window;
        self.fresh = later;
        self.is_new_level = false;
    }
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
        let before = track.values().to_vec();
        let Verdict::Far(usual) = track.judge(500, 1, 0, RULE) else {
            panic!("500 is far off");
        };
        assert!((95..105).contains(&usual.amount), "{usual:?}");
        assert_eq!(usual.values, 40);
        assert_eq!(track.values(), before);
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

    #[test]
    fn what_others_stored_and_what_is_fresh_are_joined_once() {
        let mut track = Track::of(
            &[Value {
                level: 7,
                source: 0,
            }; 3],
        );
        let _ = track.judge(100, 1, 0, RULE);
        let fresh = track.fresh();
        let others = [Value {
            level: 9,
            source: 1,
        }; 5];
        let merged = track.merged(&others);
        assert_eq!(merged.len(), 6);
        let _ = track.judge(200, 1, 0, RULE);
        track.stored(&merged, fresh);
        assert_eq!((track.values().len(), track.fresh()), (7, 1));
    }
}
