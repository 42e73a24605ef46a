//! Every guest of `tests/guests`, with how it must end.

use super::{Attack, Content, Group, ends};
use crate::guest::Guest;
use hotcell::outcome::Blame::{self, Guest as Kernel, Operator};
use hotcell::outcome::OutcomeKind::{
    self, Denied, Done, KernelError, Limit, MemoryLimit, OutOfFuel, Timeout, Trap,
};

/// A guest, how it is run, and how it must end.
#[derive(Clone, Copy)]
pub struct GuestAttack {
    /// The file's name in `tests/guests`, without its ending.
    pub guest: &'static str,
    /// The options besides input and output.
    pub options: &'static str,
    /// The kind of end.
    pub kind: OutcomeKind,
    /// Whose doing it is.
    pub blame: Option<Blame>,
}

const fn done(guest: &'static str, options: &'static str) -> GuestAttack {
    GuestAttack {
        guest,
        options,
        kind: Done,
        blame: None,
    }
}

const fn fails(guest: &'static str, options: &'static str, kind: OutcomeKind) -> GuestAttack {
    GuestAttack {
        guest,
        options,
        kind,
        blame: Some(Kernel),
    }
}

const fn denied(guest: &'static str) -> GuestAttack {
    GuestAttack {
        guest,
        options: "",
        kind: Denied,
        blame: Some(Operator),
    }
}

/// The guests. One may be there several times, with other options.
pub const GUESTS: &[GuestAttack] = &[
    fails("bad_argument", "", KernelError),
    fails("bad_discriminant", "", Trap),
    fails("confused_handle", "", Trap),
    fails("divides_by_zero", "", Trap),
    fails("double_drop", "", Trap),
    fails("endless_loop", "--fuel 10M", OutOfFuel),
    fails("endless_loop", "--timeout 100ms", Timeout),
    fails("endless_loop", "--timeout 100ms --metering fast", Timeout),
    fails("endless_loop", "--limit cpu_time_ns=100ms", Timeout),
    fails("endless_recursion", "", Trap),
    fails("explain_at_length", "", Trap),
    fails("explain_flood", "", Trap),
    fails("fails_by_chunk", "", KernelError),
    fails("fills_and_spins", "--timeout 300ms", Timeout),
    fails("forged_handle", "", Trap),
    fails("frees_its_words", "", KernelError),
    fails("giant_list", "", Trap),
    done("grows_past_its_maximum", ""),
    done("honest", ""),
    done("honest", "--metering deterministic"),
    fails("host_call_flood", "", Limit),
    fails("huge_error", "", KernelError),
    done("leaves_traces", ""),
    done("log_flood", ""),
    done("log_forgery", ""),
    fails("log_not_utf8", "", Trap),
    fails("many_memories", "", Limit),
    fails("many_tables", "", Limit),
    done("maps_arrays", ""),
    fails("memory_at_start", "", MemoryLimit),
    done("memory_fill", ""),
    fails("memory_in_many_steps", "", MemoryLimit),
    fails("memory_in_one_step", "", MemoryLimit),
    fails("memory_over_several", "--memory 16MiB", MemoryLimit),
    done("nan_payload", ""),
    fails("polls", "--timeout 1s --limit host_calls=1G", Timeout),
    fails(
        "polls_and_ignores",
        "--timeout 300ms --limit host_calls=1G",
        Timeout,
    ),
    fails("random_giant", "--grant random", Trap),
    denied("random_giant"),
    fails("read_out_of_range", "", Trap),
    fails("read_wraps", "", Trap),
    fails("reads_twice", "--limit bytes_in=6000B", Limit),
    fails("realloc_grows", "--memory 16MiB", MemoryLimit),
    fails("realloc_loops", "--fuel 10M", OutOfFuel),
    fails("realloc_misaligned", "", Trap),
    fails("realloc_out_of_bounds", "", Trap),
    done("realloc_overlaps", ""),
    fails("realloc_traps", "", Trap),
    done("reports_progress", ""),
    fails("result_out_of_bounds", "", Trap),
    fails("start_loops", "--fuel 10M", OutOfFuel),
    fails("start_loops", "--timeout 100ms --metering fast", Timeout),
    fails("start_traps", "", Trap),
    fails("table_growth", "", MemoryLimit),
    fails("table_growth_over_several", "", MemoryLimit),
    fails("unknown_entry", "", KernelError),
    fails("use_after_drop", "", Trap),
    denied("wants_clock"),
    done("wants_clock", "--grant clock"),
    done("wants_most_memory", ""),
    denied("wants_random"),
    done("wants_random", "--grant random --seed 7"),
    fails("wrapping_list", "", Trap),
    fails("write_out_of_range", "", Trap),
    done("writes_nothing", ""),
    done("sums_its_part", ""),
    done("two_functions", ""),
    done("writes_some", ""),
    fails("writes_twice", "--limit bytes_out=6000B", Limit),
];

/// The guests whose attack is one of several chunks.
const SPLIT: [&str; 1] = ["fails_by_chunk"];

pub(super) fn attacks() -> impl Iterator<Item = Attack> {
    GUESTS.iter().enumerate().map(|(index, row)| {
        let earlier = GUESTS[..index].iter();
        let name = match earlier.filter(|other| other.guest == row.guest).count() {
            0 => row.guest.to_owned(),
            again => format!("{}-{}", row.guest, again + 1),
        };
        let guest = Guest::named(row.guest);
        let guest = match SPLIT.contains(&row.guest) {
            true => guest.split(),
            false => guest,
        };
        let file = format!("{}.wasm", row.guest);
        Attack::new(Group::Guest, name, ends(row.kind, row.blame))
            .file(&file, Content::Guest(Box::new(guest)))
            .run(&file, row.options)
    })
}
