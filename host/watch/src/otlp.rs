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
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// How many traces wait at most.
const QUEUE: usize = 4096;
/// How many traces are sent at once.
const BATCH: usize = 256;
/// How long a trace waits for others.
const LINGER: Duration = Duration::from_secs(5);
/// How long one request to the collector may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The longest time between metrics, and the longest that the end waits.
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

    /// Sends what waits, and the metrics, for so long at most.
    pub(crate) fn close(&self, most: Duration) {
        let until = Instant::now() + most.min(LONGEST);
        let mut desk = self.shared.desk();
        desk.closing.get_or_insert(until);
        self.shared.come.notify_one();
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
    closing: Option<Instant>,
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
                is_heard = self.send("/v1/traces", &body, turn.closing, is_heard);
            }
            if turn.is_time_for_metrics || turn.closing.is_some() {
                metrics_at = Instant::now() + self.settings.interval.min(LONGEST);
                let body = metrics::request(&self.metrics, self.begun, SystemTime::now());
                is_heard = self.send("/v1/metrics", &body, turn.closing, is_heard);
            }
            if turn.closing.is_some() {
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
                    closing: desk.closing,
                };
            }
            let until = oldest.map_or(metrics_at, |oldest| metrics_at.min(oldest + LINGER));
            let left = until.saturating_duration_since(now);
            let waited = self.come.wait_timeout(desk, left);
            desk = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Sends a document. Says whether the collector took it; that it does no longer is logged once.
    fn send(&self, path: &str, body: &Value, closing: Option<Instant>, is_heard: bool) -> bool {
        let url = format!("{}{path}", self.settings.endpoint.trim_end_matches('/'));
        let headers = self.settings.headers.iter();
        let headers: Vec<(&str, &str)> = headers
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let body = body.to_string();
        for attempt in 1..=ATTEMPTS {
            let closing = closing.or(self.desk().closing);
            let left = closing.map_or(TIMEOUT, |until| {
                until.saturating_duration_since(Instant::now())
            });
            let timeout = left.min(TIMEOUT).max(Duration::from_millis(1));
            let error = match self.client.post(&url, &headers, &body, timeout) {
                Ok(()) => return true,
                Err(error) => error,
            };
            if error.is_for_now() && attempt < ATTEMPTS && left > BACK_OFF {
                std::thread::sleep((BACK_OFF * attempt).min(left));
                continue;
            }
            if let Some(log) = self.settings.log.as_ref().filter(|_| is_heard) {
                log(&format!(
                    "the collector takes no traces or metrics: {error}"
                ));
            }
            return false;
        }
        false
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

/// What sends: the same for traces and metrics.
fn resource() -> Value {
    json!({"attributes": [text("service.name", "hotcell"), text("service.version", env!("CARGO_PKG_VERSION"))]})
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
