//! What a compilation usually costs, and when one is far off.
//!
//! The baseline is that of the kernels in this repository: 2.3 ms of CPU time for each KiB of code (geometric mean;
//! 1.8 to 3.7), beside a part that does not depend on the code. `docs/performance.md` has the figures. Honest code
//! stays within a small factor of it on any machine that this host runs on; code that is made to be dear does not.

use hotcell_model::component::Counts;
use hotcell_model::manifest::units::{format_bytes, format_duration};
use hotcell_model::report::{Alert, AlertKind, Compilation};
use std::time::Duration;

/// What every compilation costs.
const FIXED: Duration = Duration::from_millis(20);
/// What each byte of code costs.
const NANOSECONDS_PER_BYTE: u64 = 2250;
/// How many times the baseline is far off: slow machines and unusual code are within.
const FAR: u32 = 10;

/// An alert for a compilation whose measured CPU time is far above what code of its size usually takes.
pub(crate) fn check(counts: &Counts, cost: &Compilation) -> Option<Alert> {
    let by_size = counts.code_bytes.saturating_mul(NANOSECONDS_PER_BYTE);
    let usual = FIXED.saturating_add(Duration::from_nanos(by_size));
    let spent = Duration::from_nanos(cost.cpu_ns);
    if spent <= usual.saturating_mul(FAR) {
        return None;
    }
    let message = format!(
        "compiling took {} of CPU time, where {} of code usually takes {}",
        format_duration(spent),
        format_bytes(counts.code_bytes),
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
        let counts = Counts {
            code_bytes,
            ..Counts::default()
        };
        let cpu_ns = u64::try_from(cpu.as_nanos()).unwrap();
        let cost = Compilation {
            cpu_ns,
            ..Compilation::default()
        };
        check(&counts, &cost)
    }

    #[test]
    fn ten_times_the_usual_cost_is_an_alert_with_the_numbers() {
        let kib = 1 << 10;
        // The dearest kernel of the repository, on a machine three times slower.
        assert_eq!(alert(80 * kib, Duration::from_millis(900)), None);
        assert_eq!(alert(0, Duration::from_millis(200)), None);
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
