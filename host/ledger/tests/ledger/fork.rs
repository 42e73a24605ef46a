//! A fork of a process that has budgets open.

use crate::harness::*;
use hotcell_ledger::{Ledger, LedgerError, PlaceKind, ReserveError};

/// Runs `work` in a fork; it says whether all is as it should be. The fork ends without returning to the test harness.
fn in_fork(work: impl FnOnce() -> bool) -> bool {
    // SAFETY: the fork has this thread only. It allocates, which glibc provides for, takes no lock that another thread of this
    // process may have held, and ends by `_exit`.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "{}", std::io::Error::last_os_error());
    if pid == 0 {
        let is_right = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        // SAFETY: it ends this process, and runs nothing of it.
        unsafe { libc::_exit(i32::from(!matches!(is_right, Ok(true)))) }
    }
    let mut status = 0;
    // SAFETY: `status` is a place for one status, and the child is this process's own.
    let waited = unsafe { libc::waitpid(pid, &raw mut status, 0) };
    waited == pid && libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
}

#[test]
fn a_fork_uses_nothing_of_its_parents_and_loses_it_nothing() {
    let bench = Bench::new();
    let (ledger, rate) = (bench.open(), slow(1600));
    let reservation = reserve(&ledger, rate, 100).unwrap();
    let place = ledger.enter(&tenant(), PlaceKind::Running, 1).unwrap();
    // Taken in the fork alone, so that all copies end there.
    let mut all = Some((ledger, reservation, place));
    let is_right = in_fork(|| {
        let (ledger, reservation, place) = all.take().unwrap();
        let error = ledger
            .reserve(&tenant(), &fuel_budget(rate), &fuel(1))
            .unwrap_err();
        let is_said = error.to_string().contains("fork first and open them then");
        let is_forked = matches!(error, ReserveError::Ledger(LedgerError::Forked { .. }));
        let is_opened = Ledger::open(&bench.path).is_ok();
        let is_charged = reservation.charge(&fuel(1)).is_ok();
        drop((place, ledger));
        is_said && is_forked && !is_opened && !is_charged
    });
    assert!(is_right);
    let (ledger, reservation, place) = all.unwrap();
    assert_eq!(levels(&ledger, &fuel_budget(rate))[0].left, 1600 - 100 - 93);
    assert_eq!(ledger.taken(&tenant(), PlaceKind::Running).unwrap(), 1);
    reservation.charge(&fuel(40)).unwrap();
    drop((place, ledger));
    assert_eq!(bench.left(rate), 1560);
}
