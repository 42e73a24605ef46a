//! What waits for a receiver: bounded, what is critical first, and no warning in the way of it.

use hotcell_model::report::Severity;
use std::collections::VecDeque;

/// What waits, oldest first, apart for each severity.
///
/// Warnings have so many places, and what is critical has those of warnings besides its own. Where there is no place, whatever
/// waits longest makes room, a warning where there is one.
#[derive(Debug)]
pub(crate) struct Waiting<T> {
    most: usize,
    severities: [VecDeque<T>; Severity::ALL.len()],
}

impl<T> Waiting<T> {
    /// Nothing waits, and at most so many can.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most: most.max(1),
            severities: Default::default(),
        }
    }

    /// Takes one more. Says what had to make room for it.
    pub(crate) fn push(&mut self, severity: Severity, one: T) -> Option<T> {
        let [warnings, critical] = &mut self.severities;
        let is_full = match severity {
            Severity::Warning => warnings.len() >= self.most,
            Severity::Critical => warnings.len() + critical.len() >= self.most.saturating_mul(2),
        };
        let oldest = is_full.then(|| warnings.pop_front().or_else(|| critical.pop_front()));
        self.severities[severity as usize].push_back(one);
        oldest.flatten()
    }

    /// Puts one back that was taken out, ahead of all others of its severity.
    pub(crate) fn put_back(&mut self, severity: Severity, one: T) {
        self.severities[severity as usize].push_front(one);
    }

    /// Takes the next one out: what is critical, then what has waited longest.
    pub(crate) fn pop(&mut self) -> Option<(Severity, T)> {
        [Severity::Critical, Severity::Warning]
            .into_iter()
            .find_map(|severity| {
                let one = self.severities[severity as usize].pop_front()?;
                Some((severity, one))
            })
    }

    /// How many of a severity wait.
    pub(crate) fn count(&self, severity: Severity) -> usize {
        self.severities[severity as usize].len()
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.severities.iter().map(VecDeque::len).sum()
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Severity::{Critical, Warning};

    #[test]
    fn what_is_critical_is_never_refused_and_comes_first() {
        let mut waiting = Waiting::new(2);
        for number in 0..3 {
            let oldest = waiting.push(Warning, number);
            assert_eq!(oldest, (number == 2).then_some(0));
        }
        let made_room: Vec<_> = (10..15)
            .map(|number| waiting.push(Critical, number))
            .collect();
        assert_eq!(made_room, [None, None, Some(1), Some(2), Some(10)]);
        assert_eq!(waiting.push(Warning, 3), None);
        let (severity, first) = waiting.pop().unwrap();
        waiting.put_back(severity, first);
        let order: Vec<_> = std::iter::from_fn(|| waiting.pop()).collect();
        let critical = [11, 12, 13, 14].map(|number| (Critical, number));
        assert_eq!(order, [&critical[..], &[(Warning, 3)]].concat());
        assert!(waiting.is_empty());
    }
}
