//! What a compilation usually costs, for cells that nobody else watches.

use hotcell_model::audit::AuditRecord;
use hotcell_model::manifest::units::{format_bytes, format_duration};
use hotcell_model::report::{Alert, AlertKind, Compilation, Report};
use hotcell_model::watch::{Watch, usual_compilation};
use std::time::Duration;

/// How many times the usual is far off: slow machines and unusual code are within.
const FAR: u32 = 10;

/// Holds compilations against what code of their size usually takes, and remembers nothing.
pub(crate) struct Seed;

impl Watch for Seed {
    fn ended(&self, _record: &AuditRecord, report: &Report) -> Vec<Alert> {
        let cost = report.timings.compilation.as_ref();
        cost.and_then(check).into_iter().collect()
    }
}

/// An alert for a compilation whose measured CPU time is far above what code of its size usually takes.
fn check(cost: &Compilation) -> Option<Alert> {
    let usual = usual_compilation(cost.code_bytes, cost.processes);
    let spent = Duration::from_nanos(cost.cpu_ns);
    if cost.code_bytes == 0 || spent <= usual.saturating_mul(FAR) {
        return None;
    }
    let message = format!(
        "compiling took {} of CPU time, where {} of code usually takes {}",
        format_duration(spent),
        format_bytes(cost.code_bytes),
        format_duration(usual)
    );
    Some(Alert {
        kind: AlertKind::CompilationCost,
        message,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(code_bytes: u64, cpu: Duration) -> Option<Alert> {
        check(&Compilation {
            cpu_ns: u64::try_from(cpu.as_nanos()).unwrap(),
            code_bytes,
            processes: 1,
            ..Compilation::default()
        })
    }

    #[test]
    fn ten_times_the_usual_cost_is_an_alert_with_the_numbers() {
        let kib = 1 << 10;
        // The dearest kernel of the repository, on a machine three times slower.
        assert_eq!(alert(80 * kib, Duration::from_millis(900)), None);
        assert_eq!(alert(1, Duration::from_millis(200)), None);
        let alert = alert(80 * kib, Duration::from_secs(4)).unwrap();
        assert_eq!(alert.kind, AlertKind::CompilationCost);
        for number in ["4s", "80KiB"] {
            assert!(alert.message.contains(number), "{}", alert.message);
        }
    }

    #[test]
    fn sizes_beyond_all_measure_do_not_overflow() {
        assert_eq!(alert(u64::MAX, Duration::from_secs(1)), None);
    }
}
