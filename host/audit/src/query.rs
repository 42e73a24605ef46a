//! Finding records, over all logs of a host in the order of time.

use crate::claim;
use crate::entry::Entry;
use crate::error::AuditError;
use crate::lines::Lines;
use crate::record::Phase;
use crate::segment::Segment;
use hotcell_model::audit::Verb;
use hotcell_model::digest::RunId;
use hotcell_model::outcome::OutcomeKind;
use hotcell_model::tenant::Tenant;
use hotcell_model::time::Timestamp;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How much earlier than the one before it a record may say that it is: its time is that of its beginning or end, and its place
/// that of its writing.
const AMISS: Duration = Duration::from_secs(60);

/// Which records; all, where nothing is said.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Of that tenant.
    pub tenant: Option<Tenant>,
    /// Of that kernel: an entry's name or a component's.
    pub kernel: Option<String>,
    /// Of components whose digest begins like that.
    pub component: Option<String>,
    /// That ended like that.
    pub outcome: Option<OutcomeKind>,
    /// Of that kind of request.
    pub verb: Option<Verb>,
    /// That say that.
    pub phase: Option<Phase>,
    /// Of launches whose id begins like that.
    pub run_id: Option<String>,
    /// Not before that.
    pub since: Option<Timestamp>,
    /// Before that.
    pub until: Option<Timestamp>,
    /// With alerts.
    pub has_alerts: bool,
}

impl Query {
    /// Whether it is about that record.
    pub fn matches(&self, entry: &Entry) -> bool {
        let (said, at) = (entry.said(), entry.at());
        let end = said.end.as_ref();
        let begins = |wanted: &Option<String>, digits: Option<String>| {
            wanted.as_ref().is_none_or(|wanted| {
                digits.is_some_and(|digits| digits.starts_with(&wanted.to_ascii_lowercase()))
            })
        };
        let is_kernel = |name: &String| {
            let of_end = end.is_some_and(|end| end.entry == *name || end.name == *name);
            of_end || said.entry.as_ref() == Some(name)
        };
        let is_tenant = |tenant: &Tenant| said.tenant.as_ref() == Some(tenant);
        self.tenant.as_ref().is_none_or(is_tenant)
            && self.kernel.as_ref().is_none_or(is_kernel)
            && begins(
                &self.component,
                said.component.map(|digest| digest.to_string()),
            )
            && begins(&self.run_id, said.run_id.map(|id: RunId| id.to_string()))
            && self
                .outcome
                .is_none_or(|kind| end.is_some_and(|end| end.outcome == kind))
            && self.verb.is_none_or(|verb| said.verb == Some(verb))
            && self.phase.is_none_or(|phase| said.phase == phase)
            && self.since.is_none_or(|since| at >= since)
            && self.until.is_none_or(|until| at < until)
            && (!self.has_alerts || end.is_some_and(|end| !end.alerts.is_empty()))
    }
}

/// A record and where it is.
#[derive(Clone, Debug)]
pub struct Record {
    /// The log's name.
    pub log: String,
    /// As it stands in the log, without its newline.
    pub line: String,
    /// What it says.
    pub entry: Entry,
}

/// Records of all logs, the oldest first.
#[derive(Debug)]
pub struct Records {
    directory: PathBuf,
    logs: Vec<Log>,
    unreadable: u64,
}

impl Records {
    /// All that there are from that time on, and some before it: files are skipped by the first record of the next, as the times
    /// of files are anybody's who copies them.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn since(directory: &Path, since: Option<Timestamp>) -> Result<Self, AuditError> {
        let from = |segments: &[Segment]| {
            let is_older = |next: &Segment| {
                let is_older =
                    |since: Timestamp| next.begun().is_some_and(|at| since.since(at) > AMISS);
                since.is_some_and(is_older)
            };
            let next = segments.iter().skip(1);
            next.take_while(|next| is_older(next)).count()
        };
        Self::open(directory, from)
    }

    /// The newest: those in the last two files of each log.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn newest(directory: &Path) -> Result<Self, AuditError> {
        Self::open(directory, |segments| segments.len().saturating_sub(2))
    }

    fn open(directory: &Path, from: impl Fn(&[Segment]) -> usize) -> Result<Self, AuditError> {
        let mut records = Self {
            directory: directory.to_owned(),
            logs: Vec::new(),
            unreadable: 0,
        };
        for path in claim::logs(directory)? {
            let segments = Segment::all(&path)?;
            let at = from(&segments).min(segments.len().saturating_sub(1));
            records.logs.extend(
                segments
                    .get(at)
                    .map(|segment| Log::from(path, segment.clone())),
            );
        }
        Ok(records)
    }

    /// The next; `None` if there is none now. More may come: whoever follows the logs asks again.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn read(&mut self) -> Result<Option<Record>, AuditError> {
        for log in &mut self.logs {
            self.unreadable += log.look()?;
        }
        let has_next = |log: &&mut Log| log.next.is_some();
        let soonest = self
            .logs
            .iter_mut()
            .filter(has_next)
            .min_by_key(|log| log.time());
        Ok(soonest.and_then(Log::take))
    }

    /// Looks whether there are logs that were not there.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn look_for_logs(&mut self) -> Result<(), AuditError> {
        for path in claim::logs(&self.directory)? {
            if self.logs.iter().any(|log| log.path == path) {
                continue;
            }
            let first = Segment::all(&path)?.into_iter().next();
            self.logs
                .extend(first.map(|segment| Log::from(path, segment)));
        }
        Ok(())
    }

    /// How many lines were no records.
    pub fn unreadable(&self) -> u64 {
        self.unreadable
    }
}

/// One log.
#[derive(Debug)]
struct Log {
    path: PathBuf,
    segment: Segment,
    lines: Option<Lines>,
    offset: u64,
    index: u64,
    next: Option<(String, Entry)>,
}

impl Log {
    fn from(path: PathBuf, segment: Segment) -> Self {
        Self {
            path,
            index: segment.first,
            segment,
            lines: None,
            offset: 0,
            next: None,
        }
    }

    fn time(&self) -> u64 {
        self.next.as_ref().map_or(u64::MAX, |(_, entry)| entry.time)
    }

    /// Reads the next record, if there is none at hand. How many lines were none.
    fn look(&mut self) -> Result<u64, AuditError> {
        let mut unreadable = 0;
        while self.next.is_none() {
            let lines = match &mut self.lines {
                Some(lines) => lines,
                None => self
                    .lines
                    .insert(Lines::from(&self.segment.records(), self.offset)?),
            };
            let Some(line) = lines.next()?.filter(|line| line.is_whole) else {
                // What is torn is read again, once it is whole.
                self.lines = None;
                let following = self.segment.followed_by(self.index);
                if self.offset == 0 || !following.records().exists() {
                    break;
                }
                (self.segment, self.offset) = (following, 0);
                continue;
            };
            let entry = Entry::read(line.record);
            let text = std::str::from_utf8(line.record).map(str::to_owned);
            (self.offset, self.index) = (lines.at(), self.index + 1);
            match (entry, text) {
                (Ok(entry), Ok(text)) => self.next = Some((text, entry)),
                _ => unreadable += 1,
            }
        }
        Ok(unreadable)
    }

    fn take(&mut self) -> Option<Record> {
        let (line, entry) = self.next.take()?;
        let log = self.path.file_name().unwrap_or_default();
        Some(Record {
            log: log.to_string_lossy().into_owned(),
            line,
            entry,
        })
    }
}
