//! The watcher of a cell.

use crate::alerts::courier::{Courier, end_in};
use crate::alerts::notice::Notice;
use crate::alerts::settings::AlertSettings;
use crate::baseline::Baselines;
use crate::metrics::{Gauges, Metrics, MissReason, TextfileError};
use crate::recent::{CompilationPoint, Ended, Recent, RecentAlert, Running};
use crate::store::Store;
use crate::storm::Storms;
use crate::trouble::Trouble;
use hotcell_model::audit::AuditRecord;
use hotcell_model::report::{Alert, AlertKind, CacheOutcome, Report};
use hotcell_model::tenant::Tenant;
use hotcell_model::text;
use hotcell_model::time::Timestamp;
use hotcell_model::watch::Watch;
use hotcell_state::StateError;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// How often what was learned is written, where something was.
const WRITTEN_EVERY: Duration = Duration::from_secs(30);

/// How a watcher watches.
#[derive(Clone, Debug, Default)]
pub struct WatchSettings {
    /// The directory of the state, where baselines outlive the process and processes share them. Without one they are in memory.
    pub state: Option<PathBuf>,
    /// The tenants that have series of their own: those that the policy names.
    pub tenants: Vec<Tenant>,
    /// Where alerts go.
    pub alerts: AlertSettings,
    /// Where traces and metrics go.
    #[cfg(feature = "otlp")]
    pub otlp: Option<crate::otlp::OtlpSettings>,
}

/// Why nothing can be watched.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The file of baselines cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The address of an alert's or a trace's receiver is none.
    #[error("`{0}` is no `http://` or `https://` address")]
    NoAddress(String),
}

/// Watches a cell: counts, compares, and tells.
pub struct Watcher {
    inner: Arc<Inner>,
    // Its thread has a share of `inner` for its errands, which may outlive the watcher where a receiver does not let go.
    courier: Courier,
    #[cfg(feature = "otlp")]
    exporter: Option<crate::otlp::Exporter>,
}

struct Inner {
    metrics: Arc<Metrics>,
    baselines: Baselines,
    store: Option<Arc<Mutex<Store>>>,
    storms: Storms,
    recent: Recent,
    /// When baselines were last asked to be written, in seconds since 1970.
    asked_s: AtomicU64,
    trouble: Trouble,
    log: Option<crate::alerts::settings::LogSink>,
}

impl Watcher {
    /// A watcher by its settings.
    ///
    /// # Errors
    /// The file of baselines cannot be used, or an address is none.
    pub fn new(settings: WatchSettings) -> Result<Self, WatchError> {
        if let Some(webhook) = &settings.alerts.webhook {
            check_address(&webhook.url)?;
        }
        let store = settings.state.as_deref().map(Store::open).transpose()?;
        let store = store.map(|store| Arc::new(Mutex::new(store)));
        let metrics = Arc::new(Metrics::new(settings.tenants));
        let inner = Arc::new(Inner {
            metrics: Arc::clone(&metrics),
            baselines: Baselines::new(store.clone()),
            storms: Storms::new(store.clone()),
            store,
            recent: Recent::default(),
            asked_s: AtomicU64::new(seconds(now())),
            trouble: Trouble::default(),
            log: settings.alerts.log.clone(),
        });
        #[cfg(feature = "otlp")]
        let exporter = match settings.otlp {
            Some(otlp) => {
                check_address(&otlp.endpoint)?;
                Some(crate::otlp::Exporter::new(otlp, Arc::clone(&metrics)))
            }
            None => None,
        };
        let written = Arc::clone(&inner);
        let errand = Arc::new(move || written.write_baselines());
        Ok(Self {
            courier: Courier::new(settings.alerts, metrics, errand),
            inner,
            #[cfg(feature = "otlp")]
            exporter,
        })
    }

    /// A watcher that keeps what is usual in memory alone, whatever the settings say, because of what [`new`](Self::new) said of them. That
    /// is counted as an error of the state, and said once in the log.
    ///
    /// # Errors
    /// An address is none.
    pub fn in_memory_because(
        settings: WatchSettings,
        why: &WatchError,
    ) -> Result<Self, WatchError> {
        let watcher = Self::new(WatchSettings {
            state: None,
            ..settings
        })?;
        let inner = &watcher.inner;
        inner.in_the_way(|| format!("baselines are kept in memory alone: {}", text::chain(why)));
        watcher.courier.ask();
        Ok(watcher)
    }

    /// Everything that was counted, with what only the daemon knows, as Prometheus reads it.
    pub fn render(&self, gauges: &Gauges) -> String {
        let mut text = self.inner.metrics.render(gauges);
        self.inner.baselines.write_gauges(&mut text);
        text
    }

    /// Adds what was counted since the last time to the counts of all processes that share the state directory, and writes the
    /// sums for a node's collector: for commands that are over before anybody could scrape them.
    ///
    /// # Errors
    /// There is no state directory, or a file cannot be written.
    pub fn write_textfile(&self, path: &Path) -> Result<(), TextfileError> {
        let store = self.inner.store.as_ref().ok_or(TextfileError::NoState)?;
        let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
        self.inner.metrics.write_textfile(&mut store, path)
    }

    /// Raises an alert that is about no request, such as one of the audit log.
    pub fn alert(&self, alert: &Alert) {
        self.inner.metrics.alert(alert.kind);
        self.tell(now(), alert, None);
    }

    /// The last alerts, newest first; texts are escaped for terminals, and not for HTML.
    pub fn recent_alerts(&self) -> Vec<RecentAlert> {
        self.inner.recent.alerts()
    }

    /// How the last requests ended, newest first; texts are escaped for terminals, and not for HTML.
    pub fn latest(&self) -> Vec<Ended> {
        self.inner.recent.latest()
    }

    /// The requests that run, oldest first, up to 256; texts are escaped for terminals, and not for HTML.
    pub fn running(&self) -> Vec<Running> {
        self.inner.recent.running()
    }

    /// What the last compilations took beside what was usual, oldest first.
    pub fn compile_history(&self) -> Vec<CompilationPoint> {
        self.inner.recent.compilations()
    }

    /// Delivers the alerts that are on their way, for so long at most, and writes what was learned. Alerts that are raised
    /// afterwards are only counted. The end of a watcher does the same, and waits no longer than an end that was set before.
    pub fn close(&self, most: Duration) {
        let until = end_in(most);
        #[cfg(feature = "otlp")]
        if let Some(exporter) = &self.exporter {
            exporter.begin_closing(until);
        }
        self.courier.close(until);
        self.inner.write_baselines();
        #[cfg(feature = "otlp")]
        if let Some(exporter) = &self.exporter {
            exporter.close(until);
        }
    }

    fn tell(&self, at: Timestamp, alert: &Alert, about: Option<(&AuditRecord, &Report)>) {
        self.inner.recent.alert(at, alert, about);
        self.courier.take(Notice::of(at, alert, about));
    }

    /// Has what was learned written, where that was not done for some time.
    fn write_now_and_then(&self, now: Timestamp) {
        let inner = &self.inner;
        if inner.store.is_none() {
            return;
        }
        let (now_s, asked_s) = (seconds(now), inner.asked_s.load(Ordering::Relaxed));
        // A clock that went back begins anew.
        if now_s >= asked_s && now_s - asked_s < WRITTEN_EVERY.as_secs() {
            return;
        }
        let asked =
            inner
                .asked_s
                .compare_exchange(asked_s, now_s, Ordering::Relaxed, Ordering::Relaxed);
        if asked.is_ok() {
            self.courier.ask();
        }
    }
}

impl Watch for Watcher {
    fn begun(&self, record: &AuditRecord) {
        self.inner.metrics.begun(record);
        self.inner.recent.begun(record);
    }

    fn ended(&self, record: &AuditRecord, report: &Report) -> Vec<Alert> {
        let now = now();
        let found = self.inner.look(record, report, now);
        self.inner.metrics.ended(record, report, &found);
        self.inner.recent.ended(record, report);
        for alert in report.alerts.iter().chain(&found) {
            self.tell(now, alert, Some((record, report)));
        }
        #[cfg(feature = "otlp")]
        if let Some(exporter) = &self.exporter {
            exporter.ended(record, report, &found, now);
        }
        if self.inner.trouble.is_unsaid() {
            self.courier.ask();
        }
        self.write_now_and_then(now);
        found
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.close(self.courier.flush());
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watcher").finish_non_exhaustive()
    }
}

impl Inner {
    /// What is odd about a request.
    fn look(&self, record: &AuditRecord, report: &Report, now: Timestamp) -> Vec<Alert> {
        let mut alerts = self
            .baselines
            .launch(record, report, |error| self.failed(&error));
        if let Some(cost) = &report.timings.compilation {
            let failed = |error| self.failed(&error);
            let found = self.baselines.compilation(record, report, cost, failed);
            let is_cost = |alert: &Alert| alert.kind == AlertKind::CompilationCost;
            let is_far = found.alerts.iter().any(is_cost);
            self.recent
                .compilation(now, cost, found.usual_cpu_ns, is_far);
            alerts.extend(found.alerts);
        }
        if let (Some(CacheOutcome::Miss(words)), Some(component)) =
            (&report.timings.cache, report.component.digest)
        {
            let reason = MissReason::of(words);
            let [from, to] = [record.started, now].map(|time| time.since(Timestamp::default()));
            let failed = |error| self.failed(&error);
            let storm = self
                .storms
                .compiled(&record.tenant, component, reason, from..to, failed);
            alerts.extend(storm);
        }
        alerts
    }

    /// Writes what was learned, and says what was in the way of that or of reading. Never called by whoever launches.
    fn write_baselines(&self) {
        let now_s = i64::try_from(seconds(now())).unwrap_or(i64::MAX);
        match self.baselines.flush(now_s) {
            Ok(true) => self.trouble.is_over(),
            Ok(false) => {}
            Err(error) => self.failed(&error),
        }
        if let Some(line) = self.trouble.take()
            && let Some(log) = &self.log
        {
            log(&line);
        }
    }

    /// That the state cannot be used keeps nobody from launching.
    fn failed(&self, error: &StateError) {
        self.in_the_way(|| format!("baselines: {}", text::chain(error)));
    }

    /// Counts something that is in the way of the state, and has it said.
    fn in_the_way(&self, line: impl FnOnce() -> String) {
        self.metrics.state_error();
        self.trouble.happened(line);
    }
}

fn now() -> Timestamp {
    SystemTime::now().into()
}

fn seconds(time: Timestamp) -> u64 {
    time.since(Timestamp::default()).as_secs()
}

fn check_address(url: &str) -> Result<(), WatchError> {
    match url.starts_with("http://") || url.starts_with("https://") {
        true => Ok(()),
        false => Err(WatchError::NoAddress(text::escape(url, 200))),
    }
}
