//! Command lines that ask for nonsense, or for more than there is.

use super::{Attack, Expected, Group, ends};
use hotcell::outcome::{Blame, OutcomeKind};

/// As much as anybody may ask for.
const CEILINGS: &str =
    "--limit compile_cpu_ns=600s --limit compile_wall_ns=600s --limit compile_memory_bytes=16GiB";

/// Options that are no launch.
const NONSENSE: [(&str, &str); 16] = [
    ("unknown-limit", "--limit wings=1"),
    ("limit-without-value", "--limit fuel"),
    ("limit-of-nothing", "--limit fuel="),
    ("limit-below-zero", "--limit host_calls=-1"),
    ("limit-in-another-unit", "--limit memory_bytes=5s"),
    ("limit-without-unit", "--limit memory_bytes=256"),
    (
        "limit-of-many-digits",
        "--limit fuel=99999999999999999999999999",
    ),
    (
        "limit-that-overflows",
        "--limit memory_bytes=17179869184GiB",
    ),
    ("limit-that-is-no-number", "--limit fuel=NaN"),
    ("timeout-without-unit", "--timeout 200"),
    ("timeout-below-zero", "--timeout -1s"),
    ("no-threads", "--threads 0"),
    ("dimension-below-zero", "--dim n=-1"),
    ("unknown-capability", "--grant wings"),
    ("unknown-metering", "--metering none"),
    ("unknown-option", "--as-root"),
];

/// Options that make a launch, which is refused or stopped.
const EXTREME: [(&str, &str, OutcomeKind, Blame); 9] = [
    (
        "memory-above-its-ceiling",
        "--memory 64GiB",
        OutcomeKind::Denied,
        Blame::Request,
    ),
    (
        "stack-above-its-ceiling",
        "--limit stack_bytes=1GiB",
        OutcomeKind::Denied,
        Blame::Request,
    ),
    (
        "compile-memory-above-its-ceiling",
        "--limit compile_memory_bytes=64GiB",
        OutcomeKind::Denied,
        Blame::Request,
    ),
    ("no-fuel", "--fuel 0", OutcomeKind::OutOfFuel, Blame::Guest),
    (
        "no-memory",
        "--memory 0B",
        OutcomeKind::MemoryLimit,
        Blame::Guest,
    ),
    (
        "no-functions",
        "--limit functions=0",
        OutcomeKind::Limit,
        Blame::Guest,
    ),
    (
        "no-handles",
        "--limit handles=0",
        OutcomeKind::Limit,
        Blame::Guest,
    ),
    (
        "no-compile-time",
        "--limit compile_wall_ns=1us",
        OutcomeKind::Limit,
        Blame::Guest,
    ),
    (
        "another-extent",
        "--dim n=18446744073709551615",
        OutcomeKind::Usage,
        Blame::Request,
    ),
];

pub(super) fn attacks() -> impl Iterator<Item = Attack> {
    let nonsense = NONSENSE
        .into_iter()
        .map(|(name, options)| (name, options, Expected::NoLaunch(OutcomeKind::Usage)));
    let extreme = EXTREME
        .into_iter()
        .map(|(name, options, kind, blame)| (name, options, ends(kind, Some(blame))));
    let all = std::iter::once((
        "every-compile-limit-at-its-ceiling",
        CEILINGS,
        ends(OutcomeKind::Done, None),
    ));
    all.chain(nonsense)
        .chain(extreme)
        .map(|(name, options, expected)| {
            Attack::new(Group::Options, name, expected)
                .guest("honest")
                .run("honest.wasm", options)
        })
}
