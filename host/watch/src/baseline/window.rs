//! What is usual of one figure: the last values of it, with their median and their spread.
//!
//! The median and the median absolute deviation (MAD) are exact, over a window of the last values that were taken in: F. R.
//! Hampel, "The influence curve and its role in robust estimation", Journal of the American Statistical Association 69
//! (1974). Half of the window can be wrong before the median is. Old values leave as new ones come, which is how it drifts.
//!
//! Where several sources teach one window, a new value takes the place of the oldest of the source that has the most, so that no
//! source has more of the window than others that teach as much. A source that floods it has at most its share.

/// How many values are kept.
pub(crate) const VALUES: usize = 63;

/// How many values are taken in before median and spread are worked out again, once there are enough of them.
const PUT_OFF: u8 = 8;

/// Below so many values, median and spread are worked out each time.
const FEW: usize = 16;

/// One value, and who taught it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Value {
    /// In [`steps`](crate::baseline::steps::steps).
    pub(crate) level: i32,
    /// Who it came from.
    pub(crate) source: u32,
}

/// The last values, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Window {
    values: Vec<Value>,
    median: i32,
    spread: i32,
    /// How many were taken in since median and spread were worked out.
    late: u8,
}

impl Window {
    /// A window of those values, of which the last are kept.
    pub(crate) fn of(values: &[Value]) -> Self {
        let from = values.len().saturating_sub(VALUES);
        let mut window = Self {
            values: values.iter().skip(from).copied().collect(),
            ..Self::default()
        };
        window.work_out();
        window
    }

    /// Takes a value in.
    pub(crate) fn learn(&mut self, value: Value) {
        if self.values.len() >= VALUES {
            let leaves = whose_leaves(self.values.iter().copied(), value.source);
            self.values.remove(leaves);
        }
        self.values.push(value);
        self.late = self.late.saturating_add(1);
        if self.late >= PUT_OFF || self.values.len() <= FEW {
            self.work_out();
        }
    }

    /// Forgets the values of a source.
    pub(crate) fn forget(&mut self, source: u32) {
        self.values.retain(|value| value.source != source);
        self.work_out();
    }

    fn work_out(&mut self) {
        let mut levels = [0; VALUES];
        let count = self.values.len().min(VALUES);
        let levels = &mut levels[..count];
        for (level, value) in levels.iter_mut().zip(&self.values) {
            *level = value.level;
        }
        self.median = median(levels);
        for level in levels.iter_mut() {
            *level = level.saturating_sub(self.median).saturating_abs();
        }
        self.spread = median(levels);
        self.late = 0;
    }

    /// The values, oldest first.
    pub(crate) fn values(&self) -> &[Value] {
        &self.values
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.values.len()
    }

    /// Their median, or that of a few values ago.
    pub(crate) fn median(&self) -> i32 {
        self.median
    }

    /// The median of their distances from it.
    pub(crate) fn spread(&self) -> i32 {
        self.spread
    }
}

/// Where the value is that makes room for one of that source: the oldest of the source that has the most, the new value counted.
pub(crate) fn whose_leaves(values: impl Iterator<Item = Value> + Clone, source: u32) -> usize {
    if values.clone().all(|value| value.source == source) {
        return 0;
    }
    let mut counts = vec![(source, 1_usize)];
    for value in values.clone() {
        match counts.iter_mut().find(|(found, _)| *found == value.source) {
            Some((_, count)) => *count += 1,
            None => counts.push((value.source, 1)),
        }
    }
    // Of those that have as many, whoever comes now.
    let most = counts.iter().rev().max_by_key(|(_, count)| *count);
    let most = most.map_or(source, |(source, _)| *source);
    let mut values = values;
    values.position(|value| value.source == most).unwrap_or(0)
}

/// The median, of an even number the upper one; 0 of none.
fn median(levels: &mut [i32]) -> i32 {
    let middle = levels.len() / 2;
    match levels.is_empty() {
        true => 0,
        false => *levels.select_nth_unstable(middle).1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(level: i32, source: u32) -> Value {
        Value { level, source }
    }

    #[test]
    fn median_and_spread_are_those_of_the_values() {
        let window = Window::of(&[9, 1, 100, 5, 7].map(|level| value(level, 0)));
        assert_eq!(window.median(), 7);
        // Distances: 2, 6, 93, 2, 0.
        assert_eq!(window.spread(), 2);
        assert_eq!(Window::default().median(), 0);
    }

    #[test]
    fn it_follows_a_drift() {
        let mut window = Window::default();
        for level in 0..1000 {
            window.learn(value(level, 0));
        }
        assert_eq!(window.count(), VALUES);
        assert!(
            (955..=980).contains(&window.median()),
            "{}",
            window.median()
        );
    }

    #[test]
    fn a_source_that_floods_it_has_no_more_than_its_share() {
        let mut window = Window::default();
        for _ in 0..VALUES {
            window.learn(value(100, 1));
        }
        for _ in 0..10_000 {
            window.learn(value(9000, 2));
        }
        let flood = window
            .values()
            .iter()
            .filter(|value| value.source == 2)
            .count();
        assert_eq!(flood, VALUES / 2);
        assert_eq!(window.median(), 100);
        // Others that come get theirs.
        for _ in 0..VALUES {
            window.learn(value(100, 3));
        }
        let third = window
            .values()
            .iter()
            .filter(|value| value.source == 3)
            .count();
        assert_eq!(third, VALUES / 3);
    }
}
