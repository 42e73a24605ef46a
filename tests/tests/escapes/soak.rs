//! Many launches in one cell: nothing leaks, nothing is mixed up.

use super::request_of;
use hotcell::limit::Limit;
use hotcell::outcome::OutcomeKind::{self, Done, MemoryLimit, OutOfFuel, Timeout, Trap};
use hotcell::{Cell, Component, Request, Tenant};
use hotcell_tests::processes::{children, descriptors, eventually, links, status_number};
use hotcell_tests::{Guest, alone, assert_ended, cell, isolation_of};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// What a process may have more in memory afterwards, in KiB.
const SLACK_KIB: u64 = 32 << 10;

fn confined() -> Cell {
    cell(isolation_of("confined")).build().unwrap()
}

fn resident_kib() -> u64 {
    status_number("self", "VmRSS").expect("there is a /proc/self/status")
}

/// Runs the honest guest on bytes of its own, and checks every one that comes back.
#[track_caller]
fn assert_honest(cell: &Cell, honest: &Component, number: u32, tenant: Option<&Tenant>) {
    let bytes = 64 + usize::try_from(number % 4096).unwrap();
    let value = number.to_le_bytes()[0];
    let mut request = request_of(value, bytes);
    if let Some(tenant) = tenant {
        request = request.tenant(tenant.clone());
    }
    let ended = cell.run(honest, request);
    assert_ended(&ended, Done, None);
    let out = ended.array("out").unwrap().to_vec::<u8>().unwrap();
    assert!(
        out.len() == bytes && out.iter().all(|byte| *byte == value),
        "launch {number}"
    );
    assert!(ended.report.alerts.is_empty(), "{:?}", ended.report.alerts);
}

/// What the process has: descriptors and children.
fn possessions() -> (usize, usize) {
    (descriptors(), children().len())
}

#[test]
fn ten_thousand_launches_in_a_row_leak_nothing() {
    alone!(ten_thousand_launches_in_a_row_leak_nothing);
    let honest = Guest::named("honest").component();
    let before = possessions();
    let cell = confined();
    for number in 0..500 {
        assert_honest(&cell, &honest, number, None);
    }
    // Spares have come by now.
    std::thread::sleep(Duration::from_millis(500));
    let (had, resident) = (possessions(), resident_kib());
    for number in 0..10_000 {
        assert_honest(&cell, &honest, number, None);
    }
    assert!(
        eventually(Duration::from_secs(60), || possessions() <= had),
        "{had:?}: {:?}",
        possessions()
    );
    let now = resident_kib();
    assert!(
        now <= resident + SLACK_KIB,
        "{resident} KiB before, {now} KiB after"
    );
    // A component keeps its sealed memory.
    drop((cell, honest));
    let is_clean = || possessions() <= before;
    assert!(
        eventually(Duration::from_secs(60), is_clean),
        "{before:?}: {:?}",
        children()
    );
}

/// What a hostile launch is, and how it must end.
fn hostile(number: u32) -> (Guest, Request, OutcomeKind) {
    let request = || request_of(0, 4096);
    let timeout = Duration::from_millis(50);
    let (name, request, kind) = match number % 5 {
        0 => ("divides_by_zero", request(), Trap),
        1 => ("endless_loop", request().timeout(timeout), Timeout),
        2 => ("memory_in_one_step", request(), MemoryLimit),
        3 => ("log_flood", request(), Done),
        _ => (
            "endless_loop",
            request().limit(Limit::Fuel, 100_000),
            OutOfFuel,
        ),
    };
    (Guest::named(name), request, kind)
}

#[test]
fn two_hundred_launches_in_parallel_a_tenth_of_them_hostile_are_not_mixed_up() {
    alone!(two_hundred_launches_in_parallel_a_tenth_of_them_hostile_are_not_mixed_up);
    let before = possessions();
    let tenants = ["a", "b", "c"].map(|name| name.parse::<Tenant>().unwrap());
    let honest = Guest::named("honest").component();
    let cell = confined();
    // Whatever is made once is made by the first round.
    for round in 0..3 {
        let next = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..32 {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let tenant = &tenants[number as usize % tenants.len()];
                        match number {
                            200.. => return,
                            _ if number % 10 != 7 => {
                                assert_honest(&cell, &honest, number, Some(tenant))
                            }
                            _ => {
                                let (guest, request, kind) = hostile(number / 10);
                                let ended =
                                    cell.run(&guest.component(), request.tenant(tenant.clone()));
                                assert_eq!(
                                    ended.outcome.kind, kind,
                                    "round {round}: {:?}",
                                    ended.outcome
                                );
                            }
                        }
                    }
                });
            }
        });
    }
    // A component keeps its sealed memory.
    drop((cell, honest));
    let is_clean = || possessions() <= before;
    assert!(
        eventually(Duration::from_secs(60), is_clean),
        "{before:?}: {:?} {:?}",
        links("/proc/self/fd".as_ref()),
        children()
    );
}
