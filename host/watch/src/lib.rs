//! Watches everything that a host is asked to do: counts it, holds it against what is usual, and tells whoever looks after the
//! host what is odd.
//!
//! A [`Watcher`] is the `Watch` of a cell. For each request it counts what the report says ([`metrics`]), holds compilations and
//! launches against their baselines, which it keeps in the state directory, and returns what is odd as alerts for the report. Those
//! and all others of the report go to the sinks of the settings ([`alerts`]).
//!
//! A launch waits for none of it: counting is atomic, baselines are in memory and written back now and then, and alerts are
//! delivered by a thread.
//!
//! * [`watcher`]: the watcher and its settings
//! * [`metrics`]: what is counted
//! * `baseline`: what is usual; `docs/decisions/0037-baselines.md` has the reasons
//! * [`alerts`]: where alerts go
//! * [`recent`]: the last of everything, for a page
//! * `otlp`, a feature: traces and metrics for collectors

pub mod alerts;
mod baseline;
mod http;
pub mod metrics;
#[cfg(feature = "otlp")]
pub mod otlp;
pub mod recent;
mod store;
mod storm;
mod trouble;
pub mod watcher;
mod words;

pub use alerts::notice::{Notice, RequestNotice};
pub use alerts::settings::{
    AlertSettings, CommandSettings, LogSink, NotASecret, Secret, WebhookSettings,
};
pub use metrics::{AuditGauge, BudgetGauge, Gauges, MissReason, Pool, PoolGauge, TextfileError};
pub use recent::{CompilationPoint, Ended, RecentAlert, Running};
pub use watcher::{WatchError, WatchSettings, Watcher};
