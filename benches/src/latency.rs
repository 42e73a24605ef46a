//! A warm launch of a tiny kernel against bare wasmtime's instantiate-and-call of the same component.

use crate::bare::{Bare, BareLaunch, Checks};
use crate::launches::{Subject, request, run};
use crate::measure::{Contender, interleaved};
use crate::table::{self, ratio, time};
use anyhow::Result;
use hotcell::{Cell, Digests, Metering};
use serde_json::{Value, json};
use std::time::Instant;

/// Measures saxpy of 16 elements.
pub(crate) fn measure(quick: bool) -> Result<Value> {
    let subject = Subject::load("saxpy")?;
    let arguments = subject.resized("saxpy", &[("n", 16)])?;
    let bare = Bare::load(subject.component.bytes(), Checks::Strict)?;
    let launch = BareLaunch::new(&arguments)?;
    let cell = Cell::in_process().build()?;
    let strict = request(&arguments, Metering::Strict)?;
    let fast = request(&arguments, Metering::Fast)?;
    let receipt = strict.clone().digests(Digests::Full);
    let timed = |request| -> Contender<'_> {
        let (cell, component) = (&cell, &subject.component);
        Box::new(move || {
            let began = Instant::now();
            run(cell, component, request)?;
            Ok(began.elapsed())
        })
    };
    let mut contenders: [Contender<'_>; 4] = [
        Box::new(|| Ok(bare.run(&launch)?.total)),
        timed(&fast),
        timed(&strict),
        timed(&receipt),
    ];
    let medians = interleaved(&mut contenders, if quick { 101 } else { 2001 })?;
    let labels = ["bare wasmtime", "fast", "strict", "strict, with digests"];
    let rows = labels.iter().zip(&medians);
    let rows = rows.map(|(label, median)| {
        vec![
            (*label).to_owned(),
            time(*median),
            ratio(median / medians[0]),
        ]
    });
    table::print(
        "A warm launch of saxpy, 16 elements",
        &["launch", "median", ": bare"],
        &rows.collect::<Vec<_>>(),
    );
    Ok(json!({
        "bare": medians[0], "fast": medians[1], "strict": medians[2], "strict_digests": medians[3],
    }))
}
