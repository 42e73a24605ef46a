//! The watcher as a cell uses it: records and reports in, alerts, metrics and messages out.

mod command;
mod documents;
mod harness;
mod launches;
mod noise;
mod odd;
#[cfg(feature = "otlp")]
mod otlp;
mod prometheus;
mod rates;
mod receiver;
mod state;
mod textfile;
mod webhook;
