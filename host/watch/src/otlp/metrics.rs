//! What was counted, as the protocol has it: sums and histograms since the start.

use crate::metrics::{Metrics, Series};
use crate::otlp::{nanoseconds, resource, scope, text};
use serde_json::{Value, json};
use std::time::SystemTime;

/// `AGGREGATION_TEMPORALITY_CUMULATIVE`.
const CUMULATIVE: u32 = 2;

/// The document with what was counted from `begun` until now.
pub(crate) fn request(metrics: &Metrics, begun: SystemTime, now: SystemTime) -> Value {
    let times = [nanoseconds(begun).to_string(), nanoseconds(now).to_string()];
    let mut all = Vec::new();
    metrics.each(|family| {
        let [first, last] = &times;
        let points = family.series.iter().map(|series| point(series, family.bounds, first, last));
        let points: Vec<Value> = points.collect();
        if points.is_empty() {
            return;
        }
        let unit = match family.name.trim_end_matches("_total") {
            name if name.ends_with("_seconds") => "s",
            name if name.ends_with("_bytes") => "By",
            _ => "1",
        };
        let (kind, data) = match family.bounds {
            Some(_) => ("histogram", json!({"aggregationTemporality": CUMULATIVE, "dataPoints": points})),
            None => (
                "sum",
                json!({"aggregationTemporality": CUMULATIVE, "isMonotonic": true, "dataPoints": points}),
            ),
        };
        // Collectors append `_total` themselves where they hand a sum to Prometheus.
        let name = family.name.trim_end_matches("_total");
        all.push(json!({"name": name, "description": family.help, "unit": unit, kind: data}));
    });
    json!({"resourceMetrics": [{
        "resource": resource(),
        "scopeMetrics": [{"scope": scope(), "metrics": all}],
    }]})
}

fn point(series: &Series, bounds: Option<&[f64]>, first: &str, last: &str) -> Value {
    let attributes = series
        .labels
        .iter()
        .map(|(label, value)| text(label, value));
    let mut point = json!({
        "startTimeUnixNano": first,
        "timeUnixNano": last,
        "attributes": attributes.collect::<Vec<_>>(),
    });
    match bounds {
        Some(bounds) => {
            let count: u64 = series
                .counts
                .iter()
                .fold(0, |all, count| all.wrapping_add(*count));
            let counts: Vec<String> = series.counts.iter().map(u64::to_string).collect();
            point["count"] = json!(count.to_string());
            point["sum"] = json!(series.value);
            point["explicitBounds"] = json!(bounds);
            point["bucketCounts"] = json!(counts);
        }
        None => point["asDouble"] = json!(series.value),
    }
    point
}
