//! A figure of something that cost, and what is said of it where it is far off.

use crate::baseline::track::{Rule, Track, Verdict};

/// One figure.
#[derive(Clone, Copy)]
pub(crate) struct Figure {
    /// What it is, in words.
    pub(crate) what: &'static str,
    /// How much there was; 0 says nothing.
    pub(crate) amount: u64,
    /// What it is relative to; 1 for plain amounts.
    pub(crate) base: u64,
    /// When it is far off.
    pub(crate) rule: Rule,
    /// An amount in words.
    pub(crate) words: fn(u64) -> String,
}

impl Figure {
    /// Holds the figure against what is usual, and has it teach that if there is a source and it is as usual. Where it is far
    /// off: what `subject` took, and what `usually` goes before.
    pub(crate) fn judge(
        &self,
        track: &mut Track,
        source: Option<u32>,
        subject: &str,
        usually: &str,
    ) -> Option<String> {
        if self.amount == 0 {
            return None;
        }
        let Self {
            what,
            amount,
            base,
            rule,
            words,
        } = *self;
        let verdict = match source {
            Some(source) => track.judge(amount, base, source, rule),
            None => {
                let far = track.check(amount, base, rule);
                far.map_or(Verdict::Usual, Verdict::Far)
            }
        };
        let (usual, lasts) = match verdict {
            Verdict::Usual => return None,
            Verdict::Far(usual) => (usual, ""),
            Verdict::NewLevel(usual) => (usual, "; from now on that is what is usual"),
        };
        Some(format!(
            "{subject} took {} of {what}, where {usually} {} (median of {}){lasts}",
            words(amount),
            words(usual.amount),
            usual.values
        ))
    }
}
