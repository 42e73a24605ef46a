//! What launches of a kernel usually cost, by tenant, component, entry and the size of what they are given.
//!
//! The class is of a tenant, so that nobody teaches another's baseline, and of all by which honest costs differ: metering,
//! isolation, the number of elements, every dimension and every number that is given, each by its order of magnitude.

use crate::baseline::class::{Class, FIGURES, Key};
use crate::baseline::figure::Figure;
use crate::baseline::steps::DOUBLING;
use crate::baseline::track::Rule;
use crate::words::{count, size, time};
use hotcell_model::audit::{AuditRecord, Verb};
use hotcell_model::manifest::ScalarValue;
use hotcell_model::outcome::OutcomeKind;
use hotcell_model::report::{Alert, AlertKind, ArrayReport, Report, Usage};

/// Three times the usual. log2(3) is 1.585.
const THREE: i32 = 1623;

/// Clocks are the machine's, which may be loaded: of CPU time and of wall-clock time more is allowed than of fuel.
const FUEL: Rule = Rule {
    ratio: THREE,
    excess: 10_000_000,
};
const CPU: Rule = Rule {
    ratio: 2 * DOUBLING,
    excess: 100_000_000,
};
const WALL: Rule = Rule {
    ratio: 2 * DOUBLING,
    excess: 1_000_000_000,
};
const MEMORY: Rule = Rule {
    ratio: THREE,
    excess: 16 << 20,
};

/// The class of a launch that ran to its end; `None` for everything else, which says nothing of what is usual.
pub(crate) fn key(record: &AuditRecord, report: &Report) -> Option<Key> {
    let is_whole = report.outcome.kind == OutcomeKind::Done && !report.outcome.partial;
    if !matches!(record.verb, Verb::Launch | Verb::Guard) || !is_whole {
        return None;
    }
    let component = report.component.digest.or(record.component)?;
    let mut hasher = blake3::Hasher::new();
    hasher.update(component.as_bytes());
    hasher.update(&[
        record.isolation as u8,
        record.metering as u8,
        u8::from(report.usage.gpu.is_some()),
    ]);
    for name in [record.tenant.as_str(), &report.component.entry] {
        hasher.update(&u64::try_from(name.len()).unwrap_or(u64::MAX).to_le_bytes());
        hasher.update(name.as_bytes());
    }
    hasher.update(&[elements_of(&report.arguments)]);
    for extent in report.dims.values() {
        hasher.update(&[magnitude(*extent)]);
    }
    for scalar in report.scalars.values() {
        hasher.update(&class_of_scalar(*scalar).to_le_bytes());
    }
    Some(Key::of(&hasher))
}

/// Holds a launch against its class, and has it teach the class if it is as usual.
pub(crate) fn judge(class: &mut Class, report: &Report) -> Vec<Alert> {
    let mut alerts = Vec::new();
    for (track, figure) in class.figures.iter_mut().zip(figures(&report.usage)) {
        let usually = "arrays of that size usually take";
        if let Some(message) = figure.judge(track, Some(0), "the launch", usually) {
            let kind = AlertKind::LaunchCost;
            alerts.push(Alert { kind, message });
        }
    }
    alerts
}

fn figures(usage: &Usage) -> [Figure; FIGURES] {
    let plain = |what, amount, rule, words| Figure {
        what,
        amount,
        base: 1,
        rule,
        words,
    };
    [
        plain("fuel", usage.fuel_used.unwrap_or(0), FUEL, count),
        plain("CPU time", usage.cpu_ns, CPU, time),
        plain("time", usage.wall_ns, WALL, time),
        plain("memory", usage.peak_memory_bytes, MEMORY, size),
    ]
}

/// How many elements arrays have, by order of magnitude.
pub(crate) fn elements_of(arrays: &[ArrayReport]) -> u8 {
    magnitude(arrays.iter().map(elements).fold(0, u64::saturating_add))
}

fn elements(array: &ArrayReport) -> u64 {
    let extents = array.shape.iter();
    extents.fold(1, |elements: u64, extent| elements.saturating_mul(*extent))
}

/// The number of binary digits.
fn magnitude(number: u64) -> u8 {
    u8::try_from(u64::BITS - number.leading_zeros()).unwrap_or(u8::MAX)
}

/// The order of magnitude of a number, whatever its sign.
fn class_of_scalar(scalar: ScalarValue) -> u16 {
    match scalar {
        ScalarValue::Bool(value) => u16::from(value),
        ScalarValue::I32(value) => u16::from(magnitude(u64::from(value.unsigned_abs()))),
        ScalarValue::I64(value) => u16::from(magnitude(value.unsigned_abs())),
        ScalarValue::U32(value) => u16::from(magnitude(u64::from(value))),
        ScalarValue::U64(value) => u16::from(magnitude(value)),
        // The exponent of the format, IEEE 754.
        ScalarValue::F32(value) => u16::try_from((value.to_bits() >> 23) & 0xff).unwrap_or(0),
        ScalarValue::F64(value) => u16::try_from((value.to_bits() >> 52) & 0x7ff).unwrap_or(0),
    }
}
