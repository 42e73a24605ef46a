//! What the walls cost: confined workers against the same work inside this process.

mod compiling;
mod copying;
mod launching;
mod starting;

use crate::table;
use anyhow::Result;
use serde_json::{Map, Value};

pub(crate) use launching::measure_same_cpu;

/// One row of the table: a figure of either side.
struct Row {
    label: String,
    in_process: Option<f64>,
    confined: f64,
    /// What the two are compared by, in words.
    compared: String,
}

/// Measures every part.
pub(crate) fn measure(quick: bool) -> Result<Value> {
    let mut rows = Vec::new();
    rows.extend(launching::measure(quick)?);
    rows.extend(copying::measure(quick)?);
    rows.extend(compiling::measure(quick)?);
    rows.extend(starting::measure(quick)?);
    let cells = rows.iter().map(|row| {
        vec![
            row.label.clone(),
            row.in_process.map_or_else(|| "–".to_owned(), table::time),
            table::time(row.confined),
            row.compared.clone(),
        ]
    });
    let columns = ["median", "in process", "confined", "compared"];
    table::print("What the walls cost", &columns, &cells.collect::<Vec<_>>());
    let number = |row: &Row| {
        let mut numbers = Map::new();
        numbers.insert("in_process".into(), row.in_process.into());
        numbers.insert("confined".into(), row.confined.into());
        (row.label.clone(), Value::Object(numbers))
    };
    Ok(Value::Object(rows.iter().map(number).collect()))
}

/// A row that is compared by its difference.
fn added(label: impl Into<String>, in_process: f64, confined: f64) -> Row {
    let sign = if confined < in_process { "-" } else { "+" };
    Row {
        label: label.into(),
        in_process: Some(in_process),
        confined,
        compared: format!("{sign}{}", table::time((confined - in_process).abs())),
    }
}

/// A row that is compared by its ratio.
fn ratio(label: impl Into<String>, in_process: f64, confined: f64) -> Row {
    Row {
        label: label.into(),
        in_process: Some(in_process),
        confined,
        compared: format!("{:.2} of in-process speed", in_process / confined),
    }
}

/// A figure that only confined workers have.
fn alone(label: impl Into<String>, confined: f64) -> Row {
    Row {
        label: label.into(),
        in_process: None,
        confined,
        compared: String::new(),
    }
}
