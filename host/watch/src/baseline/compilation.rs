//! What compilations usually cost, by the size of the code: CPU and wall-clock time, memory, and the artifact's size.
//!
//! All tenants share these baselines, since what a compiler does with so much code is nobody's secret, and a tenant's first
//! compilation is then held against what others' took. So that nobody teaches others' baselines what they like, each tenant has at most its share
//! of a window, and what takes ten times the CPU time of the seed is an alert whatever was learned.

use crate::baseline::class::{Class, FIGURES, Key};
use crate::baseline::figure::Figure;
use crate::baseline::steps::DOUBLING;
use crate::baseline::track::Rule;
use crate::words::{size, time};
use hotcell_model::audit::AuditRecord;
use hotcell_model::outcome::OutcomeKind;
use hotcell_model::report::{Alert, AlertKind, Compilation, Report};
use hotcell_model::time::nanoseconds;
use hotcell_model::watch::usual_compilation;

/// So many times the seed is far off on any machine, and never learned.
const BOUND: u64 = 10;

/// Three times the usual. log2(3) is 1.585.
const THREE: i32 = 1623;

/// A loaded machine makes compilations wait: of wall-clock time, four times the usual and a second are looked at.
pub(crate) const CPU: Rule = Rule {
    ratio: THREE,
    excess: 50_000_000,
};
pub(crate) const WALL: Rule = Rule {
    ratio: 2 * DOUBLING,
    excess: 1_000_000_000,
};
const MEMORY: Rule = Rule {
    ratio: THREE,
    excess: 32 << 20,
};
const ARTIFACT: Rule = Rule {
    ratio: THREE,
    excess: 32 << 10,
};

/// What compile processes may read from disks: their own program, a static one of 21 MB, where the page cache has lost it, in each
/// of the two processes. 18.5 MB were measured for one.
const READ_BYTES: u64 = 64 << 20;

/// What is accounted to compile processes as written although they write nothing: the kernel notes when a program was last
/// read, and the page of that note counts as written by whoever started it. 4 KiB were measured, once after a boot.
const WRITTEN_BYTES: u64 = 16 << 10;

/// What was found of one compilation.
pub(crate) struct Found {
    /// What is odd about it.
    pub(crate) alerts: Vec<Alert>,
    /// The CPU time that was usual.
    pub(crate) usual_cpu_ns: u64,
}

/// The class of a compilation.
pub(crate) fn key(record: &AuditRecord, compilation: &Compilation) -> Key {
    let mut hasher = blake3::Hasher::new();
    let is_made = compilation.artifact_bytes > 0;
    hasher.update(&[
        record.isolation as u8,
        record.metering as u8,
        u8::from(is_made),
        u8::try_from(compilation.processes.min(3)).unwrap_or(3),
        u8::try_from(compilation.code_bytes.max(1).ilog2()).unwrap_or(u8::MAX),
    ]);
    Key::of(&hasher)
}

/// Holds a compilation against its class, and has it teach the class if it is as usual.
pub(crate) fn judge(
    class: &mut Class,
    source: u32,
    report: &Report,
    compilation: &Compilation,
) -> Found {
    let seed_ns = nanoseconds(usual_compilation(
        compilation.code_bytes,
        compilation.processes,
    ));
    let mut found = Found {
        alerts: io(compilation).into_iter().collect(),
        usual_cpu_ns: class.figures[0]
            .usual(seed_ns)
            .map_or(seed_ns, |usual| usual.amount),
    };
    if compilation.code_bytes == 0 {
        return found;
    }
    let code = size(compilation.code_bytes);
    if compilation.cpu_ns > seed_ns.saturating_mul(BOUND) {
        found.alerts.push(Alert {
            kind: AlertKind::CompilationCost,
            message: format!(
                "compiling took {} of CPU time, where {code} of code usually takes {}",
                time(compilation.cpu_ns),
                time(found.usual_cpu_ns)
            ),
        });
        return found;
    }
    let source = teaches(report, compilation).then_some(source);
    let usually = format!("{code} of code usually takes");
    for (track, figure) in class
        .figures
        .iter_mut()
        .zip(figures(report, compilation, seed_ns))
    {
        if let Some(message) = figure.judge(track, source, "compiling", &usually) {
            let kind = AlertKind::CompilationCost;
            found.alerts.push(Alert { kind, message });
        }
    }
    found
}

fn figures(report: &Report, compilation: &Compilation, seed_ns: u64) -> [Figure; FIGURES] {
    [
        Figure {
            what: "CPU time",
            amount: compilation.cpu_ns,
            base: seed_ns,
            rule: CPU,
            words: time,
        },
        Figure {
            what: "time",
            amount: report.timings.compile_ns,
            base: seed_ns,
            rule: WALL,
            words: time,
        },
        Figure {
            what: "memory",
            amount: compilation.peak_memory_bytes,
            base: 1,
            rule: MEMORY,
            words: size,
        },
        Figure {
            what: "artifact",
            amount: compilation.artifact_bytes,
            base: compilation.code_bytes,
            rule: ARTIFACT,
            words: size,
        },
    ]
}

/// Whether a compilation says what is usual: one that was stopped or that failed half-way says nothing.
fn teaches(report: &Report, compilation: &Compilation) -> bool {
    let is_stopped = matches!(
        report.outcome.kind,
        OutcomeKind::Limit | OutcomeKind::Timeout | OutcomeKind::Cancelled | OutcomeKind::HostFault
    );
    compilation.artifact_bytes > 0 || compilation.processes <= 1 && !is_stopped
}

/// An alert for disk I/O of compile processes: they are given what they need in memory.
fn io(compilation: &Compilation) -> Option<Alert> {
    let (read, written) = (compilation.disk_read_bytes, compilation.disk_written_bytes);
    let message = if written > WRITTEN_BYTES {
        format!(
            "processes that compile had {} written to disks, where they have nothing to write",
            size(written)
        )
    } else if read > READ_BYTES {
        format!(
            "processes that compile read {} from disks, where their own program is at most {}",
            size(read),
            size(READ_BYTES)
        )
    } else {
        return None;
    };
    let kind = AlertKind::CompilationIo;
    Some(Alert { kind, message })
}
