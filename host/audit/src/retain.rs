//! How much of the logs is kept, and where else the newest checkpoint of each is.

use crate::claim;
use crate::error::AuditError;
use crate::own;
use crate::segment::Segment;
use crate::settings::Settings;
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
        bytes >= self.segment_bytes || self.is_old(begun)
    }

    fn is_old(&self, time: SystemTime) -> bool {
        self.keep
            .is_some_and(|keep| time.elapsed().is_ok_and(|age| age > keep))
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
            // Without that, what is left proves nothing.
            if !pair[1].start().exists() {
                break;
            }
            let written = std::fs::symlink_metadata(segment.records());
            let written = written.and_then(|found| found.modified());
            let why = match written {
                Ok(written) if self.is_old(written) => "they are older than records are kept",
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
        reason.map(|why| (why, doomed))
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
