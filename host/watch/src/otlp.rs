//! Traces and metrics over OTLP/HTTP, for collectors that nobody scrapes for.
//!
//! A request is one trace: its id is the run id, its root is the request, and below that is a span for each stage. A report has how
//! long stages took and not when they began, so that they are laid end to end from the start; those of several threads are sums,
//! and end with the request at the latest. The form is the JSON mapping of the OpenTelemetry Protocol 1.x, section
//! "OTLP/HTTP, JSON Protobuf Encoding": ids in hexadecimal digits, 64-bit numbers as strings.
//!
//! Spans wait in a queue for a thread, which sends them in batches; what the queue does not hold is dropped. No launch waits.

mod metrics;
mod trace;

use crate::alerts::settings::LogSink;
use crate::http::Client;
use crate::metrics::Metrics;
use crate::otlp::trace::Traced;
use hotcell_model::audit::AuditRecord;
use hotcell_model::report::{Alert, Report};
use hotcell_model::time::Timestamp;
use serde_json::{Value, json};
use std::fmt;
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// How many traces wait at most.
const QUEUE: usize = 4096;
/// How many traces are sent at once.
const BATCH: usize = 256;
/// How long a trace waits for others.
const LINGER: Duration = Duration::from_secs(5);
/// How long one request to the collector may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The longest time between metrics.
const LONGEST: Duration = Duration::from_secs(3600);
/// How often a batch is tried.
const ATTEMPTS: u32 = 3;
/// How long is waited after the first failure; after the second twice as long.
const BACK_OFF: Duration = Duration::from_millis(500);

/// Where traces and metrics go.
#[derive(Clone)]
pub struct OtlpSettings {
    /// The collector's address without a path, as `http://localhost:4318`.
    pub endpoint: String,
    /// Headers of each request, such as a key.
    pub headers: Vec<(String, String)>,
    /// How often metrics are sent. Default 60 s, at most an hour.
    pub interval: Duration,
    /// Where a line goes when the collector takes nothing any more.
    pub log: Option<LogSink>,
}

impl OtlpSettings {
    /// A collector at that address.
    pub fn new(endpoint: impl Into<String>) -> Self {
        Self {
            endpoint: endpoint.into(),
            headers: Vec::new(),
            interval: Duration::from_secs(60),
            log: None,
        }
    }
}

impl fmt::Debug for OtlpSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Headers may hold a key.
        f.debug_struct("OtlpSettings")
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

/// Sends traces and metrics.
pub(crate) struct Exporter {
    shared: Arc<Shared>,
}

struct Shared {
    settings: OtlpSettings,
    client: Client,
    metrics: Arc<Metrics>,
    begun: SystemTime,
    desk: Mutex<Desk>,
    come: Condvar,
    gone: Condvar,
}

#[derive(Default)]
struct Desk {
    traces: Vec<Traced>,
    is_running: bool,
    closing: Option<Instant>,
}

impl Exporter {
    /// An exporter by its settings, with a thread of its own.
    pub(crate) fn new(settings: OtlpSettings, metrics: Arc<Metrics>) -> Self {
        let client = Client::new(&settings.endpoint);
        let shared = Arc::new(Shared {
            settings,
            client,
            metrics,
            begun: SystemTime::now(),
            desk: Mutex::default(),
            come: Condvar::new(),
            gone: Condvar::new(),
        });
        let running = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("hotcell-otlp".to_owned());
        shared.desk().is_running = thread.spawn(move || running.run()).is_ok();
        Self { shared }
    }

    /// A request has ended, with those alerts beside its report's.
    pub(crate) fn ended(
        &self,
        record: &AuditRecord,
        report: &Report,
        more: &[Alert],
        at: Timestamp,
    ) {
        let mut desk = self.shared.desk();
        if desk.traces.len() >= QUEUE || !desk.is_running {
            return;
        }
        desk.traces.push(Traced::of(record, report, more, at));
        let waiting = desk.traces.len();
        drop(desk);
        // The first has the thread look at its clock, and a full batch has it send.
        if waiting == 1 || waiting == BATCH {
            self.shared.come.notify_one();
        }
    }

    /// Has what waits sent, and the metrics, until then at most, or until whatever end was set before. Does not wait for it.
    pub(crate) fn begin_closing(&self, until: Instant) {
        self.shared.desk().closing.get_or_insert(until);
        self.shared.come.notify_one();
    }

    /// The same, and waits for it.
    pub(crate) fn close(&self, until: Instant) {
        self.begin_closing(until);
        let mut desk = self.shared.desk();
        let until = desk.closing.unwrap_or(until);
        while desk.is_running {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.shared.gone.wait_timeout(desk, left);
            desk = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// What the thread does next.
struct Turn {
    traces: Vec<Traced>,
    is_time_for_metrics: bool,
    is_last: bool,
}

/// What became of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    /// The collector took it.
    Taken,
    /// The collector does not take it, and would not another time.
    Refused,
    /// There is no collector, or none that can take anything now.
    Unheard,
}

impl Shared {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let _end = End(self);
        let mut metrics_at = Instant::now() + self.settings.interval.min(LONGEST);
        let mut is_heard = true;
        loop {
            let turn = self.next(metrics_at);
            for batch in turn.traces.chunks(BATCH) {
                let body = trace::request(batch);
                let sent = self.send("/v1/traces", &body, is_heard);
                is_heard = sent == Sent::Taken;
                // At the end nobody waits again for a collector that is not there.
                if sent == Sent::Unheard && self.desk().closing.is_some() {
                    return;
                }
            }
            if turn.is_time_for_metrics || turn.is_last {
                metrics_at = Instant::now() + self.settings.interval.min(LONGEST);
                let body = metrics::request(&self.metrics, self.begun, SystemTime::now());
                is_heard = self.send("/v1/metrics", &body, is_heard) == Sent::Taken;
            }
            if turn.is_last {
                return;
            }
        }
    }

    /// Waits until there is something to send.
    fn next(&self, metrics_at: Instant) -> Turn {
        let mut desk = self.desk();
        let mut oldest: Option<Instant> = None;
        loop {
            let now = Instant::now();
            if !desk.traces.is_empty() {
                oldest = oldest.or(Some(now));
            }
            let is_lingering = oldest.is_none_or(|oldest| now < oldest + LINGER);
            let is_full = desk.traces.len() >= BATCH;
            let is_time_for_metrics = now >= metrics_at;
            if !is_lingering || is_full || is_time_for_metrics || desk.closing.is_some() {
                return Turn {
                    traces: std::mem::take(&mut desk.traces),
                    is_time_for_metrics,
                    is_last: desk.closing.is_some(),
                };
            }
            let until = oldest.map_or(metrics_at, |oldest| metrics_at.min(oldest + LINGER));
            let left = until.saturating_duration_since(now);
            let waited = self.come.wait_timeout(desk, left);
            desk = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Sends a document. That the collector takes nothing any more is logged once.
    ///
    /// At the end each document has one attempt, so that one which fails takes no time from the others.
    fn send(&self, path: &str, body: &Value, is_heard: bool) -> Sent {
        let url = format!("{}{path}", self.settings.endpoint.trim_end_matches('/'));
        let headers = self.settings.headers.iter();
        let headers: Vec<(&str, &str)> = headers
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let body = body.to_string();
        let mut attempt = 1;
        loop {
            let error = match self.client.post(&url, &headers, &body, self.timeout()) {
                Ok(()) => return Sent::Taken,
                Err(error) => error,
            };
            if error.is_for_now() && attempt < ATTEMPTS && self.wait(BACK_OFF * attempt) {
                attempt += 1;
                continue;
            }
            if let Some(log) = self.settings.log.as_ref().filter(|_| is_heard) {
                log(&format!(
                    "the collector takes no traces or metrics: {error}"
                ));
            }
            return match error.is_for_now() {
                true => Sent::Unheard,
                false => Sent::Refused,
            };
        }
    }

    /// How long one attempt may take.
    fn timeout(&self) -> Duration {
        let closing = self.desk().closing;
        let left = closing.map(|until| until.saturating_duration_since(Instant::now()));
        left.unwrap_or(TIMEOUT)
            .clamp(Duration::from_millis(1), TIMEOUT)
    }

    /// Waits for so long. Says whether the end is not near.
    fn wait(&self, time: Duration) -> bool {
        let desk = self.desk();
        let waited = self
            .come
            .wait_timeout_while(desk, time, |desk| desk.closing.is_none());
        let (desk, _) = waited.unwrap_or_else(PoisonError::into_inner);
        desk.closing.is_none()
    }
}

/// Says that the thread is done, however it ends.
struct End<'a>(&'a Shared);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.desk().is_running = false;
        self.0.gone.notify_all();
    }
}

/// Nanoseconds since 1970 as the protocol writes them.
fn nanoseconds(time: SystemTime) -> u64 {
    let since = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    hotcell_model::time::nanoseconds(since)
}

/// What sends: the same for traces and metrics. Processes that run at once are told apart, so that a collector takes the counters of each
/// for their own. Source: OpenTelemetry semantic conventions, "Service".
fn resource() -> Value {
    static INSTANCE: LazyLock<String> = LazyLock::new(instance);
    json!({"attributes": [
        text("service.name", "hotcell"),
        text("service.version", env!("CARGO_PKG_VERSION")),
        text("service.instance.id", &INSTANCE),
    ]})
}

/// A name that no other process has: its number and when it first sent something, as a digest that says neither.
fn instance() -> String {
    let began = nanoseconds(SystemTime::now());
    let mut hasher = blake3::Hasher::new();
    hasher.update(&std::process::id().to_le_bytes());
    hasher.update(&began.to_le_bytes());
    hasher.finalize().to_hex()[..32].to_owned()
}

fn scope() -> Value {
    json!({"name": "hotcell", "version": env!("CARGO_PKG_VERSION")})
}

/// An attribute with a text.
fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

/// An attribute with a number.
fn number(key: &str, value: u64) -> Value {
    json!({"key": key, "value": {"intValue": value.to_string()}})
}
