//! What compilations inside guarded processes usually cost, by tenant, function and the size of what it is compiled for. How much
//! code there is nobody knows there, and so they are held against earlier ones of the same function alone.

use crate::baseline::class::{Class, FIGURES, Key};
use crate::baseline::compilation::{CPU, Found, WALL};
use crate::baseline::figure::Figure;
use crate::baseline::launch::elements_of;
use crate::words::time;
use hotcell_model::audit::AuditRecord;
use hotcell_model::outcome::OutcomeKind;
use hotcell_model::profile::Isolation;
use hotcell_model::report::{Alert, AlertKind, Compilation, Report};

/// The class of a compilation in a guarded process; `None` for any other.
pub(crate) fn key(record: &AuditRecord, report: &Report) -> Option<Key> {
    if record.isolation != Isolation::Guarded {
        return None;
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"guarded");
    if let Some(digest) = &record.component {
        hasher.update(digest.as_bytes());
    }
    for name in [
        record.tenant.as_str(),
        &report.component.name,
        &record.entry,
    ] {
        hasher.update(&u64::try_from(name.len()).unwrap_or(u64::MAX).to_le_bytes());
        hasher.update(name.as_bytes());
    }
    hasher.update(&[elements_of(&report.arguments)]);
    Some(Key::of(&hasher))
}

/// Holds a compilation against its class, and has it teach the class if it ended and is as usual.
pub(crate) fn judge(class: &mut Class, report: &Report, compilation: &Compilation) -> Found {
    let plain = |what, amount, rule| Figure {
        what,
        amount,
        base: 1,
        rule,
        words: time,
    };
    let usual = class.figures[0].usual(1);
    let mut found = Found {
        alerts: Vec::new(),
        usual_cpu_ns: usual.map_or(compilation.cpu_ns, |usual| usual.amount),
    };
    let source = (report.outcome.kind == OutcomeKind::Done).then_some(0);
    let figures: [Figure; FIGURES] = [
        plain("CPU time", compilation.cpu_ns, CPU),
        plain("time", report.timings.compile_ns, WALL),
        plain("memory", 0, WALL),
        plain("artifact", 0, WALL),
    ];
    for (track, figure) in class.figures.iter_mut().zip(figures) {
        let usually = "compiling it for arrays of that size usually takes";
        if let Some(message) = figure.judge(track, source, "compiling", usually) {
            let kind = AlertKind::CompilationCost;
            found.alerts.push(Alert { kind, message });
        }
    }
    found
}
