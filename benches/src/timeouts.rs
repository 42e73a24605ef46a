//! How late a timeout ends a kernel that never looks up.

use crate::launches::{Subject, request};
use crate::table::{self, time};
use anyhow::{Result, ensure};
use hotcell::manifest::ScalarValue;
use hotcell::outcome::OutcomeKind;
use hotcell::{Cell, Metering};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// The timeout.
const TIMEOUT: Duration = Duration::from_millis(30);

/// Measures jacobi_2d over a small grid, with more steps than anybody has time for.
pub(crate) fn measure(quick: bool) -> Result<Value> {
    let subject = Subject::load("jacobi_2d")?;
    let mut arguments = subject.resized("jacobi_2d", &[("h", 64), ("w", 64)])?;
    for (name, value) in &mut arguments.scalars {
        if name == "steps" {
            *value = ScalarValue::U32(u32::MAX);
        }
    }
    let cell = Cell::in_process().build()?;
    let mut rows = Vec::new();
    let mut numbers = serde_json::Map::new();
    for metering in [Metering::Fast, Metering::Strict] {
        let request = request(&arguments, metering)?.timeout(TIMEOUT);
        cell.run(&subject.component, request.clone());
        let mut late = Vec::new();
        for _ in 0..if quick { 5 } else { 50 } {
            let began = Instant::now();
            let ended = cell.run(&subject.component, request.clone());
            late.push(began.elapsed().saturating_sub(TIMEOUT).as_secs_f64());
            let message = &ended.outcome.message;
            ensure!(
                ended.outcome.kind == OutcomeKind::Timeout,
                "no timeout: {message}"
            );
        }
        late.sort_by(f64::total_cmp);
        let (median, most) = (late[late.len() / 2], late[late.len() - 1]);
        rows.push(vec![
            metering.to_string(),
            late.len().to_string(),
            time(median),
            time(most),
        ]);
        numbers.insert(
            metering.to_string(),
            json!({ "median": median, "most": most }),
        );
    }
    let title = format!("How late a timeout of {TIMEOUT:?} is, from request to outcome");
    table::print(&title, &["metering", "launches", "median", "most"], &rows);
    Ok(Value::Object(numbers))
}
