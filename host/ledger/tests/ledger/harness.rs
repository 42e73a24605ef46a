//! A file, a clock that stands until it is moved, and children.

use hotcell_ledger::{
    Amounts, Budgets, Clock, Ledger, Level, Rate, Refused, Reservation, ReserveError, Resource,
};
use hotcell_model::tenant::Tenant;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The variable that asks a child for its part; its value is the file.
const PART: &str = "HOTCELL_LEDGER_TEST_FILE";

/// A clock that stands.
#[derive(Clone, Debug)]
pub(crate) struct StandingClock(Arc<AtomicU64>);

impl StandingClock {
    /// At some time of 2026.
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicU64::new(1_790_000_000_000_000_000)))
    }

    pub(crate) fn forward(&self, by: Duration) {
        let ns = u64::try_from(by.as_nanos()).unwrap();
        self.0.fetch_add(ns, Ordering::Relaxed);
    }

    pub(crate) fn back(&self, by: Duration) {
        let ns = u64::try_from(by.as_nanos()).unwrap();
        self.0.fetch_sub(ns, Ordering::Relaxed);
    }
}

impl Clock for StandingClock {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

/// A directory of one test, with a file of budgets in it.
pub(crate) struct Bench {
    _directory: tempfile::TempDir,
    pub(crate) path: PathBuf,
    pub(crate) clock: StandingClock,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self {
            path: directory.path().join("state/budgets.sqlite"),
            _directory: directory,
            clock: StandingClock::new(),
        }
    }

    /// One more ledger on the file, as another process would have it.
    pub(crate) fn open(&self) -> Ledger {
        Ledger::open_with_clock(&self.path, self.clock.clone()).unwrap()
    }

    /// What is in the file for fuel.
    pub(crate) fn left(&self, rate: Rate) -> i64 {
        let ledger = self.open();
        levels(&ledger, &fuel_budget(rate))[0].left
    }
}

pub(crate) fn tenant() -> Tenant {
    "team".parse().unwrap()
}

pub(crate) fn rate(size: u64, refill: u64, per: Duration) -> Rate {
    Rate::new(size, refill, per).unwrap()
}

/// A bucket that fills by one each second.
pub(crate) fn slow(size: u64) -> Rate {
    rate(size, 1, Duration::from_secs(1))
}

pub(crate) fn fuel_budget(rate: Rate) -> Budgets {
    Budgets::new().with(Resource::Fuel, rate)
}

pub(crate) fn fuel(amount: u64) -> Amounts {
    Amounts::new().with(Resource::Fuel, amount)
}

pub(crate) fn levels(ledger: &Ledger, budgets: &Budgets) -> Vec<Level> {
    ledger.levels(&tenant(), budgets).unwrap()
}

/// Reserves fuel.
pub(crate) fn reserve(ledger: &Ledger, rate: Rate, amount: u64) -> Result<Reservation, Refused> {
    match ledger.reserve(&tenant(), &fuel_budget(rate), &fuel(amount)) {
        Ok(reservation) => Ok(reservation),
        Err(ReserveError::Refused(refused)) => Err(refused),
        Err(ReserveError::Ledger(error)) => panic!("{error}"),
    }
}

/// Reserves fuel and uses it up.
pub(crate) fn spend(ledger: &Ledger, rate: Rate, amount: u64) -> Result<(), Refused> {
    let reservation = reserve(ledger, rate, amount)?;
    reservation.charge(&fuel(amount)).unwrap();
    Ok(())
}

/// Starts a child that does the part that this test is.
pub(crate) fn start(test: &str, path: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture", "--quiet"])
        .env(PART, path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The file of the part that a child is to do; `None` for whoever runs that test without a parent.
pub(crate) fn part() -> Option<PathBuf> {
    std::env::var_os(PART).map(PathBuf::from)
}

/// What a child said about each of its launches, whatever the test harness printed around that.
pub(crate) fn numbers(text: &[u8]) -> impl Iterator<Item = u64> {
    let text = String::from_utf8_lossy(text).into_owned();
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    // A line without its end may be half of one.
    let whole = lines.len() - usize::from(!text.ends_with('\n') && !lines.is_empty());
    let numbers = lines.into_iter().take(whole);
    numbers.filter_map(|line| line.strip_prefix("charged ")?.parse().ok())
}
