//! `hotcell audit tail`, `query` and `export`

use super::{LogsArgument, failed};
use crate::exit::CommandError;
use crate::run::human;
use crate::say::{print, tell};
use anyhow::{Result, anyhow};
use clap::Args;
use hotcell::limit::Unit;
use hotcell::outcome::OutcomeKind;
use hotcell::{Tenant, Timestamp, Verb};
use hotcell_audit::query::Record;
use hotcell_audit::{Phase, Query, Records, ecs};
use hotcell_model::text;
use std::collections::VecDeque;
use std::fmt::Write;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

/// How often is looked whether there are new records.
const LOOK: Duration = Duration::from_millis(200);

/// A point in time, as people write it: `2026-11-28`, `2026-11-28T16:05:03.000250Z`, or how long ago it was, as `90m`, `12h` or `7d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment(Timestamp);

impl FromStr for Moment {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let day = format!("{text}T00:00:00.000000Z");
        if let Ok(time) = text.parse().or_else(|_| day.parse()) {
            return Ok(Self(time));
        }
        let longer = [('d', 24), ('h', 1)].into_iter().find_map(|(unit, hours)| {
            let count: u64 = text.strip_suffix(unit)?.parse().ok()?;
            count.checked_mul(hours)?.checked_mul(3600)
        });
        let ago = match longer {
            Some(seconds) => Some(Duration::from_secs(seconds)),
            None => Unit::Ns.parse(text).ok().map(Duration::from_nanos),
        };
        let ago = ago.ok_or_else(|| {
            anyhow!("no time: write one as 2026-11-28, as 2026-11-28T16:05:03.000250Z, or how long ago, as 90m, 12h or 7d")
        })?;
        let time = SystemTime::now().checked_sub(ago);
        Ok(Self(time.unwrap_or(SystemTime::UNIX_EPOCH).into()))
    }
}

/// From when to when.
#[derive(Args)]
pub(crate) struct RangeArguments {
    /// From then on: a day, a time, or how long ago, as 90m, 12h or 7d
    #[arg(long, value_name = "TIME")]
    since: Option<Moment>,
    /// Until then
    #[arg(long, value_name = "TIME")]
    until: Option<Moment>,
}

impl RangeArguments {
    /// The two.
    pub(crate) fn range(&self) -> (Option<Timestamp>, Option<Timestamp>) {
        let time = |moment: Option<Moment>| moment.map(|moment| moment.0);
        (time(self.since), time(self.until))
    }
}

/// Print the newest records.
#[derive(Args)]
pub(crate) struct TailCommand {
    /// How many; at most what the last two files of each log have
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 20)]
    lines: usize,
    /// Go on with those that come
    #[arg(short, long)]
    follow: bool,
    /// Print records as they are, one a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    logs: LogsArgument,
}

impl TailCommand {
    /// Prints them.
    pub(crate) fn execute(self) -> Result<()> {
        let mut records = Records::newest(&self.logs.directory()?).map_err(failed)?;
        let mut newest = VecDeque::new();
        while let Some(record) = records.read().map_err(failed)? {
            newest.push_back(record);
            if newest.len() > self.lines {
                newest.pop_front();
            }
        }
        newest
            .iter()
            .try_for_each(|record| show(record, self.json))?;
        if !self.follow {
            return Ok(());
        }
        loop {
            while let Some(record) = records.read().map_err(failed)? {
                show(&record, self.json)?;
            }
            std::thread::sleep(LOOK);
            records.look_for_logs().map_err(failed)?;
        }
    }
}

/// Print the records that something holds for.
#[derive(Args)]
pub(crate) struct QueryCommand {
    /// Of that tenant
    #[arg(long)]
    tenant: Option<Tenant>,
    /// Of that kernel: the name of an entry or of a component
    #[arg(long, value_name = "NAME")]
    kernel: Option<String>,
    /// Of components whose digest begins like that
    #[arg(long, value_name = "DIGEST")]
    component: Option<String>,
    /// That ended like that, as `timeout`
    #[arg(long)]
    outcome: Option<OutcomeKind>,
    /// Of that kind of request: describe, compile, launch or diagnose
    #[arg(long)]
    verb: Option<Verb>,
    /// That say that: begin, finish, unknown, gap, torn or removed
    #[arg(long)]
    phase: Option<Phase>,
    /// Of launches whose id begins like that
    #[arg(long, value_name = "LAUNCH")]
    run: Option<String>,
    /// With alerts
    #[arg(long)]
    alerts: bool,
    /// Print records as they are, one a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    range: RangeArguments,
    #[command(flatten)]
    logs: LogsArgument,
}

impl QueryCommand {
    /// Prints them.
    pub(crate) fn execute(self) -> Result<()> {
        let (since, until) = self.range.range();
        let query = Query {
            tenant: self.tenant,
            kernel: self.kernel,
            component: self.component,
            outcome: self.outcome,
            verb: self.verb,
            phase: self.phase,
            run_id: self.run,
            since,
            until,
            has_alerts: self.alerts,
        };
        each(&self.logs, &query, |record| show(record, self.json))
    }
}

/// Print records for other programs, one a line: as they are, which is OCSF, or as ECS.
#[derive(Args)]
pub(crate) struct ExportCommand {
    /// As events of the Elastic Common Schema
    #[arg(long)]
    ecs: bool,
    #[command(flatten)]
    range: RangeArguments,
    #[command(flatten)]
    logs: LogsArgument,
}

impl ExportCommand {
    /// Prints them.
    pub(crate) fn execute(self) -> Result<()> {
        let (since, until) = self.range.range();
        let query = Query {
            since,
            until,
            ..Query::default()
        };
        each(&self.logs, &query, |record| match self.ecs {
            true => print(format_args!("{}\n", ecs::to_ecs(&record.line)?)),
            false => show(record, true),
        })
    }
}

/// Does something with each record that the query is about.
pub(crate) fn each(
    logs: &LogsArgument,
    query: &Query,
    mut with: impl FnMut(&Record) -> Result<()>,
) -> Result<()> {
    let mut records = Records::since(&logs.directory()?, query.since).map_err(failed)?;
    while let Some(record) = records.read().map_err(failed)? {
        if query.matches(&record.entry) {
            with(&record)?;
        }
    }
    let unreadable = records.unreadable();
    if unreadable != 0 {
        tell(format_args!(
            "hotcell: {unreadable} lines are no records: see `hotcell audit verify`"
        ));
    }
    Ok(())
}

fn show(record: &Record, is_json: bool) -> Result<()> {
    match is_json {
        true => print(format_args!("{}\n", record.line)),
        false => print(line(record)),
    }
}

/// A record in a line for people. What comes from a log is escaped again: it may have been changed.
fn line(record: &Record) -> String {
    const SHOWN_DIGITS: usize = 12;
    let (entry, said) = (&record.entry, record.entry.said());
    let clean = |shown: &str| text::clean(shown, 200);
    let mut line = format!(
        "{}  {}:{:<6}  ",
        entry.at(),
        record.log,
        entry.metadata.sequence
    );
    let Some(run_id) = said.run_id else {
        let message = entry.message.as_deref().unwrap_or_default();
        let _ = writeln!(line, "{}: {}", said.phase, clean(message));
        return line;
    };
    let mut id = run_id.to_string();
    id.truncate(SHOWN_DIGITS);
    let tenant = said.tenant.as_ref().map_or("", Tenant::as_str);
    let verb = said.verb.map_or("", Verb::name);
    let _ = write!(line, "{id}  {tenant}  {verb} {}", said.phase);
    let named = said.entry.as_deref().filter(|named| !named.is_empty());
    let end = said.end.as_ref();
    let came_to = end
        .map(|end| end.entry.as_str())
        .filter(|came_to| !came_to.is_empty());
    if let Some(kernel) = came_to.or(named) {
        let _ = write!(line, " {}", clean(kernel));
    }
    if let Some(end) = end {
        let wall = Duration::from_nanos(end.usage.wall_ns);
        let _ = write!(line, ": {} in {}", end.outcome, human(wall));
        if !end.message.is_empty() {
            let _ = write!(line, ", {}", clean(&end.message));
        }
        for alert in &end.alerts {
            let _ = write!(line, " [{} {}]", alert.severity, alert.kind);
        }
    }
    line.push('\n');
    line
}

/// That a range is empty is a mistake, and no answer.
pub(crate) fn check_range((since, until): (Option<Timestamp>, Option<Timestamp>)) -> Result<()> {
    match (since, until) {
        (Some(since), Some(until)) if since >= until => Err(CommandError::of(
            OutcomeKind::Usage,
            anyhow!("nothing is from {since} on and before {until}"),
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_days_times_and_how_long_ago() {
        let day: Moment = "2026-11-28".parse().unwrap();
        let time: Moment = "2026-11-28T00:00:00.000000Z".parse().unwrap();
        assert_eq!(day, time);
        let ago = |text: &str| {
            let moment: Moment = text.parse().unwrap();
            Timestamp::from(SystemTime::now()).since(moment.0).as_secs()
        };
        assert_eq!(
            (ago("7d") / 60, ago("90m") / 60, ago("2h") / 60),
            (7 * 24 * 60, 90, 120)
        );
        for text in [
            "",
            "yesterday",
            "2026-02-30",
            "-1d",
            "99999999999999999999d",
        ] {
            assert!(text.parse::<Moment>().is_err(), "{text}");
        }
    }
}
