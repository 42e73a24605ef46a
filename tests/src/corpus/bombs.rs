//! The compile bombs, under the limits that everybody has and under tight ones.

use super::{Attack, Content, Expected, Group, default_of};
use crate::bombs::BOMBS;
use hotcell::limit::Limit;
use hotcell::outcome::OutcomeKind::{Done, InvalidComponent, Limit as OverLimit};
use std::time::Duration;

/// The tight limits: wall-clock nanoseconds, bytes, and the options that set them.
const TIGHT: (u64, u64, &str) = (
    300_000_000,
    128 << 20,
    "--limit compile_wall_ns=300ms --limit compile_cpu_ns=1s --limit compile_memory_bytes=128MiB",
);

pub(super) fn attacks() -> impl Iterator<Item = Attack> {
    let defaults = (
        default_of(Limit::CompileWall),
        default_of(Limit::CompileMemory),
        "",
    );
    BOMBS.iter().flat_map(move |bomb| {
        [("", defaults), ("-tight", TIGHT)].map(|(suffix, (wall_ns, memory, options))| {
            let expected = Expected::Outcome(vec![Done, InvalidComponent, OverLimit], None);
            let mut attack = Attack::new(Group::Bomb, format!("{}{suffix}", bomb.name), expected)
                .file("bomb.wasm", Content::Bomb(bomb))
                .run("bomb.wasm", options);
            attack.compile_limits = Some((wall_ns, memory));
            // Reading the component is one piece of work, compiling it another, running it a third.
            attack.patience += 2 * Duration::from_nanos(wall_ns);
            attack
        })
    })
}
