//! What comes before and after a run is inside the launch's limits too: reading inputs, digests and deliveries of
//! outputs that nobody wrote, memory for arrays.

use hotcell::limit::Limit;
use hotcell::outcome::{Blame, OutcomeKind};
use hotcell::{
    Array, ArrayType, Consignment, Delivery, Digests, InputError, NamedArray, Request, Source,
    Undelivered,
};
use hotcell_manifest::{DType, Weight};
use hotcell_tests::{Arena, Guest, arena, assert_ended, cell, honest_request, isolation};
use std::fs::File;
use std::io::{self, Seek, Write};
use std::sync::Arc;
use std::time::Duration;

const GIB: u64 = 1 << 30;

/// A guest that writes nothing of an output of `n` words of eight bytes.
fn idle() -> Guest {
    Guest::named("writes_nothing").record(|record| {
        record.signature = "->(n)".to_owned();
        record.parameters.remove(0);
        record.parameters[0].dtype = DType::U64;
    })
}

fn idle_request(bytes: u64) -> Request {
    Request::new().dim("n", bytes / 8)
}

#[test]
fn digests_of_what_was_never_written_end_at_the_deadline_by_the_guests_blame() {
    let request = idle_request(4 * GIB).timeout(Duration::from_millis(300));
    let ended = arena!().run(&idle(), request);
    assert_ended(&ended, OutcomeKind::Timeout, Some(Blame::Guest));
    let message = &ended.outcome.message;
    assert!(message.contains("the kernel wrote 0B"), "{message}");
    assert!(ended.report.timings.settle_ns > 0);
    assert!(ended.report.alerts.is_empty());
}

#[test]
fn a_cancel_is_heard_while_outputs_are_hashed() {
    let arena = arena!();
    let request = idle_request(4 * GIB).timeout(Duration::from_secs(60));
    let launch = arena.cell.start(&idle().component(), request).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    launch.cancel();
    let kind = launch.wait().outcome.kind;
    // A machine that compiled it and hashed 4 GiB in less than that is done.
    assert!(matches!(kind, OutcomeKind::Cancelled | OutcomeKind::Done));
    arena.assert_serves();
}

#[test]
fn arrays_beyond_the_hosts_memory_are_refused_before_anything_runs() {
    let heavy = idle().record(|record| record.weight = Weight::Heavy);
    for (guest, limit) in [
        (idle(), 4 * GIB),
        (idle(), 64 << 20),
        // The weight that a guest says it has gives it none of it.
        (heavy, 4 * GIB),
    ] {
        let request = idle_request(limit + 8);
        let request = match limit == 4 * GIB {
            true => request,
            false => request.limit(Limit::HostMemory, limit),
        };
        let ended = arena!().run(&guest, request);
        assert_ended(&ended, OutcomeKind::Limit, Some(Blame::Request));
        let breach = ended.outcome.breach().unwrap();
        assert_eq!(
            (breach.limit, breach.amount.value(), breach.maximum),
            (Limit::HostMemory, limit + 8, limit)
        );
    }
}

#[test]
fn a_cell_has_a_ceiling_for_each_tenant_and_what_has_ended_holds_nothing() {
    let cell = cell(isolation!()).host_memory(64 << 20, 48 << 20).build();
    let arena = Arena::with(cell.unwrap());
    let run = |bytes| arena.run(&idle(), idle_request(bytes));
    assert_ended(&run(49 << 20), OutcomeKind::Limit, Some(Blame::Request));
    for _ in 0..3 {
        assert_ended(&run(48 << 20), OutcomeKind::Done, None);
    }
}

#[test]
fn a_delivery_is_told_to_give_up_at_the_deadline() {
    struct Slow;
    impl Delivery for Slow {
        fn prepare(&self, _: &[(&str, &ArrayType)]) -> Result<Box<dyn Consignment>, Undelivered> {
            Ok(Box::new(Self))
        }
    }
    impl Consignment for Slow {
        fn deliver(
            self: Box<Self>,
            _: &[NamedArray],
            go_on: &dyn Fn() -> io::Result<()>,
        ) -> Result<(), Undelivered> {
            loop {
                go_on().map_err(|error| Undelivered::Io(error.to_string()))?;
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }
    let request = honest_request().timeout(Duration::from_millis(300));
    let request = request.deliver_to(Arc::new(Slow));
    let ended = arena!().run(&Guest::named("honest"), request);
    assert_ended(&ended, OutcomeKind::Timeout, Some(Blame::Request));
    let message = &ended.outcome.message;
    assert!(message.contains("delivered"), "{message}");
}

#[test]
fn an_input_is_read_once_its_kernel_is_known_to_have_it() {
    let (arena, honest) = (arena!(), Guest::named("honest"));
    let unreadable = || Err(InputError("cannot read x.npy".to_owned()));
    let ended = arena.run(&honest, Request::new().input_from("x", unreadable));
    assert_ended(&ended, OutcomeKind::Io, Some(Blame::Request));
    let foreign = || panic!("not an input of this kernel");
    let ended = arena.run(&honest, Request::new().input_from("z", foreign));
    assert_ended(&ended, OutcomeKind::Usage, Some(Blame::Request));
    let broken = || panic!("a reader that is broken");
    let ended = arena.run(&honest, Request::new().input_from("x", broken));
    assert_ended(&ended, OutcomeKind::HostFault, Some(Blame::Host));
    let read = || Array::from_slice(&[7u8; 16], [16]).map_err(|e| InputError(e.to_string()));
    let ended = arena.run(&honest, Request::new().input_from("x", read));
    assert_ended(&ended, OutcomeKind::Done, None);
}

/// A file of 4096 such bytes, and an array that is read from it.
fn file_of(byte: u8) -> (File, Array) {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&[byte; 4096]).unwrap();
    let source = Source::File {
        file: Arc::new(file.try_clone().unwrap()),
        offset_bytes: 0,
        len_bytes: 4096,
    };
    let ty = ArrayType::new(DType::U8, [4096]).unwrap();
    (file, Array::from_source(ty, source).unwrap())
}

#[test]
fn a_file_that_changes_under_a_launch_makes_no_receipt() {
    let (arena, polls) = (arena!(), Guest::named("polls"));
    for (digests, rewritten, is_lost) in [
        (Digests::Full, 2, true),
        // Written to, with the bytes that it had.
        (Digests::Full, 1, false),
        (Digests::None, 2, false),
    ] {
        let (mut file, array) = file_of(1);
        let request = Request::new()
            .input("x", array)
            .limit(Limit::HostCalls, 1_000_000_000)
            .timeout(Duration::from_millis(2500))
            .stop_grace(Duration::from_millis(500))
            .digests(digests);
        let launch = arena.begun(&polls, request);
        std::thread::sleep(Duration::from_millis(200));
        file.rewind().unwrap();
        file.write_all(&[rewritten; 4096]).unwrap();
        let outcome = launch.wait().outcome;
        assert_eq!(outcome.kind, OutcomeKind::Timeout, "{outcome:?}");
        let is_said = outcome.message.contains("was changed while");
        assert_eq!(
            (is_said, outcome.partial),
            (is_lost, !is_lost),
            "{outcome:?}"
        );
    }
}
