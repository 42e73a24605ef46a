//! How much of the logs is kept, and where else the newest checkpoint of each is.

use crate::claim;
use crate::error::AuditError;
use crate::own;
use crate::segment::Segment;
use crate::settings::Settings;
use hotcell_model::time::Timestamp;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The directory of the copies, beside the logs and not in them: who cuts a log and its checkpoints has to find this too.
const KEPT: &str = "newest";

/// Where the newest checkpoint of the log of that name is kept besides.
pub(crate) fn kept_elsewhere(directory: &Path, log: &str) -> PathBuf {
    directory.join(KEPT).join(log)
}

/// Makes the place for the copies.
pub(crate) fn make_place(directory: &Path) -> Result<(), AuditError> {
    own::directory(&directory.join(KEPT))
}

/// The names of the logs that there is a copy of.
pub(crate) fn kept(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory.join(KEPT))
        .into_iter()
        .flatten()
        .flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name.starts_with("log-")).collect()
}

/// How much of a log is kept.
#[derive(Clone, Debug)]
pub(crate) struct Retention {
    directory: PathBuf,
    segment_bytes: u64,
    max_bytes: u64,
    keep: Option<Duration>,
}

/// A segment that is to go.
#[derive(Debug)]
pub(crate) struct Doomed {
    pub(crate) segment: Segment,
    /// The first record after it.
    pub(crate) end: u64,
}

impl Retention {
    /// As the settings have it.
    pub(crate) fn of(settings: &Settings) -> Self {
        Self {
            directory: settings.directory.clone(),
            segment_bytes: settings.segment_bytes,
            max_bytes: settings.max_bytes,
            keep: settings.keep,
        }
    }

    /// Whether a segment that long and written since then is to be followed by another.
    pub(crate) fn is_full(&self, bytes: u64, begun: SystemTime) -> bool {
        bytes >= self.segment_bytes || self.is_old(begun.into())
    }

    fn is_old(&self, time: Timestamp) -> bool {
        let age = Timestamp::from(SystemTime::now()).since(time);
        self.keep.is_some_and(|keep| age > keep)
    }

    /// The oldest segments of that log, as far as they are to go, and why. The newest stays. The bytes of all logs are asked for
    /// where that may matter.
    pub(crate) fn choose(
        &self,
        log: &Path,
        total: impl FnOnce() -> u64,
    ) -> Option<(&'static str, Vec<Doomed>)> {
        let segments = Segment::all(log).ok()?;
        if segments.len() < 2 {
            return None;
        }
        let mut total = total();
        let (mut doomed, mut reason) = (Vec::new(), None);
        for pair in segments.windows(2) {
            let segment = &pair[0];
            // The times of files are those of copies, where somebody made some.
            let ended = self.keep.and_then(|_| pair[1].begun());
            let why = match ended {
                Some(ended) if self.is_old(ended) => "they are older than records are kept",
                _ if total > self.max_bytes => "the logs are larger than they may be",
                _ => break,
            };
            total = total.saturating_sub(segment.bytes());
            reason = Some(why);
            doomed.push(Doomed {
                segment: segment.clone(),
                end: pair[1].first,
            });
        }
        let can_go = |one: &Doomed| one.segment.followed_by(one.end).can_be_first();
        let count = doomed.iter().rposition(can_go).map_or(0, |at| at + 1);
        doomed.truncate(count);
        reason.filter(|_| count != 0).map(|why| (why, doomed))
    }

    /// The bytes of all logs.
    pub(crate) fn total(&self) -> u64 {
        let logs = claim::logs(&self.directory).unwrap_or_default();
        let segments = logs
            .iter()
            .flat_map(|log| Segment::all(log).unwrap_or_default());
        segments.map(|segment| segment.bytes()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_says_what_it_is_continued_from() {
        let base = tempfile::tempdir().unwrap();
        let mut settings = Settings::new(base.path());
        settings.max_bytes = 1;
        let retention = Retention::of(&settings);
        let chosen = |starts: &[(u64, &str)]| {
            for (first, start) in starts {
                let segment = Segment::of(base.path(), *first);
                std::fs::write(segment.records(), "some\n").unwrap();
                std::fs::write(segment.start(), start).unwrap();
            }
            let chosen = retention.choose(base.path(), || 100);
            chosen.map_or(0, |(_, doomed)| doomed.len())
        };
        assert_eq!(chosen(&[(0, "")]), 0);
        assert_eq!(chosen(&[(5, ""), (9, "")]), 0);
        assert_eq!(chosen(&[(5, "signed")]), 1);
        assert_eq!(chosen(&[(5, ""), (9, "signed")]), 2);
    }
}
