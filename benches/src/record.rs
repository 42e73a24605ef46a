//! What it costs a launch to be recorded and watched.

use crate::measure::{Contender, rotated};
use crate::table::{self, time};
use anyhow::{Context, Result, ensure};
use hotcell::outcome::OutcomeKind;
use hotcell::{Array, ArrayType, Cell, CellBuilder, Component, Digests, Request, Tier};
use hotcell_audit::{AuditLog, Durability, Settings};
use hotcell_model::manifest::DType;
use hotcell_watch::{WatchSettings, Watcher};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Elements of a tiny launch.
const TINY: u64 = 1024;
/// Launches of a burst, of which the mean is taken.
const BURST: u32 = 64;

/// What is beside a launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beside {
    Nothing,
    Watcher,
    Log(Durability),
    Both,
}

impl Beside {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Nothing, "nothing"),
        (Self::Watcher, "watched"),
        (
            Self::Log(Durability::Batched(Duration::from_millis(100))),
            "recorded, on the disk within 100 ms",
        ),
        (Self::Both, "watched and recorded"),
        (
            Self::Log(Durability::EachRecord),
            "recorded, each record on the disk first",
        ),
    ];

    /// The cell, with it.
    fn of(self, builder: CellBuilder, folder: &Path) -> Result<Cell> {
        let watched = |builder: CellBuilder| {
            let state = Some(folder.join("watched"));
            let watcher = Watcher::new(WatchSettings {
                state,
                ..WatchSettings::default()
            })?;
            anyhow::Ok(builder.watch(Arc::new(watcher)))
        };
        let recorded = |builder: CellBuilder, durability| {
            let settings = Settings {
                durability,
                ..Settings::new(folder.join("audit"))
            };
            anyhow::Ok(builder.audit(Arc::new(AuditLog::open(settings)?)))
        };
        let builder = match self {
            Self::Nothing => builder,
            Self::Watcher => watched(builder)?,
            Self::Log(durability) => recorded(builder, durability)?,
            Self::Both => recorded(watched(builder)?, Durability::default())?,
        };
        Ok(builder.build()?)
    }
}

/// Measures tiny launches in one process, and confined.
pub(crate) fn measure(quick: bool) -> Result<Value> {
    let saxpy = Component::read(hotcell_cases::component("saxpy"))?;
    let ty = ArrayType::new(DType::F32, [TINY])?;
    let bytes = vec![0; usize::try_from(4 * TINY)?];
    let array = Array::new(ty, bytes)?;
    let request = || {
        let request = Request::new().scalar("a", 2.5f32).digests(Digests::None);
        request.input("x", array.clone()).input("y", array.clone())
    };
    let mut numbers = serde_json::Map::new();
    for isolation in ["in-process", "confined"] {
        let mut cells: Vec<(Cell, TempDir)> = Vec::new();
        for (beside, _) in Beside::ALL {
            let folder = tempfile::tempdir()?;
            let builder = match isolation {
                "confined" => Cell::confined()
                    .workers(hotcell_cases::target().join("libexec/hotcell"))
                    .require_tier(Tier::Insecure)
                    .max_runners(1),
                _ => Cell::in_process_with_slots(1, 1 << 20),
            };
            cells.push((beside.of(builder, folder.path())?, folder));
        }
        let mut contenders: Vec<Contender<'_>> = Vec::new();
        for (cell, _) in &cells {
            let (saxpy, request) = (&saxpy, &request);
            contenders.push(Box::new(move || {
                let mut all = Duration::ZERO;
                for launch in 0..=BURST {
                    let request = request();
                    let began = Instant::now();
                    let ended = cell.run(saxpy, request);
                    let took = began.elapsed();
                    ensure!(
                        ended.outcome.kind == OutcomeKind::Done,
                        "{}",
                        ended.outcome.message
                    );
                    // The first of a burst finds caches as another cell left them.
                    if launch > 0 {
                        all += took;
                    }
                }
                Ok(all / BURST)
            }));
        }
        let took = rotated(&mut contenders, if quick { 5 } else { 101 })?;
        drop(contenders);
        let bare = *took.first().context("there is a bare launch")?;
        let rows: Vec<Vec<String>> = Beside::ALL
            .iter()
            .zip(&took)
            .map(|((_, label), took)| {
                vec![
                    (*label).to_owned(),
                    time(took.median),
                    time((took.median - bare.median).max(0.0)),
                    time((took.best - bare.best).max(0.0)),
                ]
            })
            .collect();
        table::print(
            &format!("A warm launch of saxpy, {TINY} elements, {isolation}"),
            &["beside it", "median", "more", "more, best of all"],
            &rows,
        );
        let figures = Beside::ALL
            .iter()
            .zip(&took)
            .map(|((_, label), took)| json!({ "beside": label, "took": took }));
        numbers.insert(isolation.to_owned(), figures.collect());
    }
    Ok(Value::Object(numbers))
}
