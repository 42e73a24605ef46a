//! What compilations and launches usually cost, and what is far off.
//!
//! * [`steps`]: amounts on a logarithmic scale
//! * [`window`]: the last values of a figure, their median and their spread
//! * [`track`]: a figure against them, and what is learned
//! * [`class`]: what costs alike
//! * [`figure`]: what is said of one figure
//! * [`compilation`] and [`launch`]: which classes and figures there are
//! * [`table`]: the classes in memory, and on their way to the store
//!
//! Why it is done so is in `docs/decisions/0037-baselines.md`.

pub(crate) mod class;
pub(crate) mod compilation;
pub(crate) mod figure;
mod jit;
pub(crate) mod launch;
pub(crate) mod steps;
pub(crate) mod table;
pub(crate) mod track;
pub(crate) mod window;

use crate::baseline::compilation::Found;
use crate::baseline::table::{Kind, Table};
use crate::store::{Store, tenant_number};
use hotcell_model::audit::AuditRecord;
use hotcell_model::report::{Alert, Compilation, Report};
use hotcell_state::StateError;
use std::fmt::Write;
use std::sync::{Arc, Mutex};

/// All baselines of this process.
pub(crate) struct Baselines {
    compilations: Table,
    launches: Table,
    store: Option<Arc<Mutex<Store>>>,
}

impl Baselines {
    /// Those of the store, or none yet.
    pub(crate) fn new(store: Option<Arc<Mutex<Store>>>) -> Self {
        Self {
            compilations: Table::new(Kind::Compilation),
            launches: Table::new(Kind::Launch),
            store,
        }
    }

    /// What is odd about a compilation. That the store cannot be read is told to `failed`.
    pub(crate) fn compilation(
        &self,
        record: &AuditRecord,
        report: &Report,
        compilation: &Compilation,
        failed: impl FnOnce(StateError),
    ) -> Found {
        if let Some(key) = jit::key(record, report) {
            let owner = i64::from(tenant_number(&record.tenant));
            let store = self.store.as_deref();
            return self.compilations.with(key, owner, store, failed, |class| {
                jit::judge(class, report, compilation)
            });
        }
        let key = compilation::key(record, compilation);
        let source = tenant_number(&record.tenant);
        // The classes are few, and nobody's own.
        self.compilations
            .with(key, 0, self.store.as_deref(), failed, |class| {
                compilation::judge(class, source, report, compilation)
            })
    }

    /// What is odd about a launch.
    pub(crate) fn launch(
        &self,
        record: &AuditRecord,
        report: &Report,
        failed: impl FnOnce(StateError),
    ) -> Vec<Alert> {
        let Some(key) = launch::key(record, report) else {
            return Vec::new();
        };
        let owner = i64::from(tenant_number(&record.tenant));
        self.launches
            .with(key, owner, self.store.as_deref(), failed, |class| {
                launch::judge(class, report)
            })
    }

    /// Writes what was learned, and says whether there was something to write and a place for it.
    pub(crate) fn flush(&self, now_s: i64) -> Result<bool, StateError> {
        let Some(store) = &self.store else {
            return Ok(false);
        };
        let compilations = self.compilations.flush(store, now_s)?;
        let launches = self.launches.flush(store, now_s)?;
        Ok(compilations || launches)
    }

    /// How many classes there are in memory, as Prometheus reads it.
    pub(crate) fn write_gauges(&self, text: &mut String) {
        let counts = [
            ("compilation", &self.compilations),
            ("launch", &self.launches),
        ];
        let _ = writeln!(
            text,
            "# HELP hotcell_baseline_classes Classes of what costs alike, in memory.\n# TYPE hotcell_baseline_classes gauge"
        );
        for (of, table) in counts {
            let count = table.count();
            let _ = writeln!(text, "hotcell_baseline_classes{{of=\"{of}\"}} {count}");
        }
    }
}
