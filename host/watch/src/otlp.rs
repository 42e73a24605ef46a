//! Traces and metrics over OTLP/HTTP, for collectors that nobody scrapes for.
