//! The supervisor killed or interrupted at each phase of a launch.

use super::Moment::{Compiled, Started};
use super::{Attack, Content, Expected, Group, Moment, Signal, ends};
use crate::bombs::Bomb;
use hotcell::outcome::{Blame, OutcomeKind};
use std::time::Duration;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// When the supervisor of a spinning kernel is killed.
const KILLS: [(&str, Moment); 7] = [
    ("killed-at-once", Started(ms(0))),
    ("killed-after-3-ms", Started(ms(3))),
    ("killed-after-10-ms", Started(ms(10))),
    ("killed-after-30-ms", Started(ms(30))),
    ("killed-after-60-ms", Started(ms(60))),
    ("killed-when-compiled", Compiled(ms(0))),
    ("killed-while-running", Compiled(ms(200))),
];

pub(super) fn attacks() -> Vec<Attack> {
    let kills =
        KILLS.map(|(name, moment)| spinning(name, Expected::Killed).signal(Signal::Kill, moment));
    let cancelled = || ends(OutcomeKind::Cancelled, Some(Blame::Request));
    let compiling = |name: &str, expected| {
        Attack::new(Group::Supervisor, name, expected)
            .file(
                "bomb.wasm",
                Content::Bomb(Bomb::named("live_values_everywhere")),
            )
            .run("bomb.wasm", "")
    };
    let mut attacks = Vec::from(kills);
    attacks.extend([
        compiling("killed-while-compiling", Expected::Killed)
            .signal(Signal::Kill, Started(ms(1500))),
        compiling("interrupted-while-compiling", cancelled())
            .signal(Signal::Interrupt, Started(ms(1500))),
        spinning("interrupted-while-running", cancelled())
            .signal(Signal::Interrupt, Compiled(ms(300))),
        Attack::new(Group::Supervisor, "interrupted-while-polling", cancelled())
            .guest("polls")
            .run("polls.wasm", "--limit host_calls=1G")
            .signal(Signal::Interrupt, Compiled(ms(300))),
        Attack::new(Group::Supervisor, "interrupted-and-ignored", cancelled())
            .guest("polls_and_ignores")
            .run("polls_and_ignores.wasm", "--limit host_calls=1G")
            .signal(Signal::Interrupt, Compiled(ms(300))),
    ]);
    attacks
}

/// A kernel that never ends by itself within the attack's patience.
fn spinning(name: &str, expected: Expected) -> Attack {
    Attack::new(Group::Supervisor, name, expected)
        .guest("endless_loop")
        .run("endless_loop.wasm", "--metering fast --timeout 10s")
}
