//! Arrays whose pages are mapped into guests: what a guest can do with them reaches its own launch alone.
//!
//! Results are held against those of a cell that copies everything.

use hotcell::outcome::OutcomeKind;
use hotcell::{Array, Cell, CellBuilder, Ended, Isolation, Request};
use hotcell_tests::{Arena, Guest, assert_ended, cell, isolation};
use std::time::Duration;

/// What the first byte of `x` asks of the guest `maps_arrays`.
mod mode {
    pub(super) const PLAIN: u8 = 0;
    pub(super) const NO_WRITE: u8 = 1;
    pub(super) const TRAP: u8 = 2;
    pub(super) const SPIN: u8 = 3;
    pub(super) const SHIFTED: u8 = 4;
    pub(super) const HALF: u8 = 5;
}

/// Many pages and a part of one.
const BYTES: usize = (300 << 10) + 77;

/// Bytes that no other launch has.
fn pattern(mode: u8, launch: u32, len: usize) -> Vec<u8> {
    let word = (launch.wrapping_mul(0x9e37_79b9) | 0x0101_0101).to_le_bytes();
    let mut bytes: Vec<u8> = word.into_iter().cycle().take(len).collect();
    bytes[0] = mode;
    bytes
}

/// An array in memory that can be mapped.
fn shared(bytes: &[u8]) -> Array {
    let ty = Array::from_slice(bytes, [bytes.len() as u64])
        .unwrap()
        .ty()
        .clone();
    Array::shared(ty, |to| {
        to.copy_from_slice(bytes);
        Ok(())
    })
    .unwrap()
}

fn request(bytes: &[u8]) -> Request {
    Request::new().input("x", shared(bytes))
}

fn out(ended: &Ended) -> Vec<u8> {
    assert_ended(ended, OutcomeKind::Done, None);
    ended
        .array("out")
        .expect("there is a result")
        .to_vec()
        .unwrap()
}

/// A cell in which launches meet in few slots.
fn few_slots() -> CellBuilder {
    match isolation!() {
        Isolation::InProcess => Cell::in_process_with_slots(2, 1 << 20),
        Isolation::Confined | Isolation::Guarded => cell(Isolation::Confined).runner_threads(2),
    }
}

#[test]
fn arrays_arrive_and_leave_whole_whatever_their_size() {
    let (mapped, copied) = (
        Arena::with(few_slots().build().unwrap()),
        Arena::with(few_slots().without_mapping().build().unwrap()),
    );
    let guest = Guest::named("maps_arrays");
    for len in [
        2000,
        65_536,
        262_143,
        262_144,
        262_145,
        266_240,
        BYTES,
        1 << 20,
    ] {
        let bytes = pattern(mode::PLAIN, 7, len);
        for arena in [&mapped, &copied] {
            let ended = arena.cell.run(&guest.component(), request(&bytes));
            assert!(out(&ended) == bytes, "{len} bytes");
            let usage = &ended.report.usage;
            assert_eq!((usage.bytes_in, usage.bytes_out), (len as u64, len as u64));
        }
        // Bytes that cannot be mapped.
        let plain = Array::from_slice(&bytes, [len as u64]).unwrap();
        let ended = mapped
            .cell
            .run(&guest.component(), Request::new().input("x", plain));
        assert!(out(&ended) == bytes, "{len} bytes of no file");
    }
}

#[test]
fn an_input_that_a_guest_spoils_is_whole_for_everybody_else() {
    let arena = Arena::with(few_slots().build().unwrap());
    let guest = Guest::named("maps_arrays").component();
    let bytes = pattern(mode::PLAIN, 1, BYTES);
    let x = shared(&bytes);
    for _ in 0..3 {
        let ended = arena.cell.run(&guest, Request::new().input("x", x.clone()));
        assert!(out(&ended) == bytes);
        assert!(x.bytes().unwrap()[..] == bytes[..]);
    }
}

#[test]
fn an_output_that_is_given_back_oddly_has_what_was_written() {
    let arena = Arena::with(few_slots().build().unwrap());
    let guest = Guest::named("maps_arrays").component();
    let shifted = pattern(mode::SHIFTED, 2, BYTES);
    let ended = arena.cell.run(&guest, request(&shifted));
    assert!(out(&ended)[1..] == shifted[..BYTES - 1]);
    let half = pattern(mode::HALF, 3, BYTES);
    let ended = arena.cell.run(&guest, request(&half));
    assert!(out(&ended)[..BYTES / 2] == half[..BYTES / 2]);
}

#[test]
fn guests_of_the_version_before_run_and_are_copied() {
    let arena = Arena::with(few_slots().build().unwrap());
    let guest = Guest::named("honest").of_version("0.1.0").component();
    let bytes = pattern(mode::PLAIN, 4, BYTES);
    assert!(out(&arena.cell.run(&guest, request(&bytes))) == bytes);
    let later = Guest::named("honest").of_version("0.3.0").component();
    let ended = arena.cell.run(&later, request(&bytes));
    assert_eq!(ended.outcome.kind, OutcomeKind::InvalidComponent);
    let words = [
        "hotcell:kernel/entries@0.2.0",
        "hotcell:kernel/entries@0.1.0",
    ];
    assert!(
        words
            .iter()
            .all(|word| ended.outcome.message.contains(word)),
        "{}",
        ended.outcome.message
    );
}

/// A guest whose `cabi_realloc` gives those addresses in turn, with `pages` pages of memory, that runs `body` with the
/// length of its arrays in `$n`.
fn giving(addresses: &[u32], pages: u32, body: &str) -> Guest {
    let give = addresses.iter().enumerate().map(|(call, address)| {
        format!(
            "(if (i32.eq (global.get $call) (i32.const {})) (then (return (i32.const {address}))))",
            call + 1
        )
    });
    let give: String = give.collect();
    Guest::of(format!(
        r#"(memory (export "memory") {pages})
        (global $call (mut i32) (i32.const 0))
        (global $small (mut i32) (i32.const 8192))
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
          (if (i32.lt_u (local.get 3) (i32.const 4096)) (then
            (global.set $small (i32.add (global.get $small) (i32.const 256)))
            (return (global.get $small))))
          (global.set $call (i32.add (global.get $call) (i32.const 1)))
          {give} (i32.const 0x40000))
        (func $attack (local $n i32)
          (local.set $n (i32.wrap_i64 (call $input_size (global.get $in))))
          (if (i32.eq (memory.grow (i32.const 60)) (i32.const -1)) (then (unreachable)))
          {body})"#
    ))
}

const READ: &str = "(call $read (global.get $in) (i64.const 0) (local.get $n) (i32.const 40))";
const BUFFER: &str = "(call $buffer (global.get $out) (i64.const 0) (local.get $n) (i32.const 48))";
const WRITE_READ: &str =
    "(call $write (global.get $out) (i64.const 0) (i32.load (i32.const 40)) (local.get $n))";
const WRITE_BUFFER: &str =
    "(call $write (global.get $out) (i64.const 0) (i32.load (i32.const 48)) (local.get $n))";
const COPY: &str =
    "(memory.copy (i32.load (i32.const 48)) (i32.load (i32.const 40)) (local.get $n))";

#[test]
fn memory_that_a_guest_gives_twice_or_that_is_not_its_to_give_changes_nothing() {
    let arena = Arena::with(few_slots().build().unwrap());
    let bytes = pattern(mode::PLAIN, 5, BYTES);
    let traces = Guest::named("maps_arrays").component();
    for (what, addresses, pages, body) in [
        (
            "reads twice to one place",
            vec![0x4_0000, 0x4_0000],
            1,
            [READ, READ, WRITE_READ],
        ),
        (
            "reads twice, overlapping",
            vec![0x4_0000, 0x5_0000],
            1,
            [READ, READ, WRITE_READ],
        ),
        (
            "reads over its output",
            vec![0x4_0000, 0x4_0000],
            1,
            [BUFFER, READ, WRITE_READ],
        ),
        (
            "reads over half of its output",
            vec![0x4_0000, 0x6_0000],
            1,
            [BUFFER, READ, WRITE_READ],
        ),
        (
            "gives its output's place twice",
            vec![0x4_0000, 0x4_0000],
            1,
            [BUFFER, BUFFER, WRITE_BUFFER],
        ),
        (
            "gives what it has from its start",
            vec![0x1_0000],
            8,
            [READ, WRITE_READ, ""],
        ),
        ("gives no page", vec![0x4_0010], 1, [READ, WRITE_READ, ""]),
        (
            "ends with its memory",
            vec![0x3d_0000 - 0x4_c000],
            1,
            [READ, WRITE_READ, ""],
        ),
        (
            "copies from one to the other",
            vec![0x4_0000, 0x10_0000],
            1,
            [READ, BUFFER, COPY],
        ),
    ] {
        let guest = giving(&addresses, pages, &body.concat()).component();
        let ended = arena.cell.run(&guest, request(&bytes));
        assert_eq!(ended.outcome.message, "", "{what}");
        if body.contains(&WRITE_READ) && !what.contains("overlapping") {
            assert!(out(&ended) == bytes, "{what}");
        }
        // Whoever has the slot next finds nothing.
        for launch in 0..3 {
            let clean = pattern(mode::PLAIN, 100 + launch, BYTES);
            assert!(
                out(&arena.cell.run(&traces, request(&clean))) == clean,
                "after: {what}"
            );
        }
    }
}

#[test]
fn memory_beyond_the_guests_is_no_place_for_an_array() {
    let arena = Arena::with(few_slots().build().unwrap());
    let guest = giving(&[0x3d_0000 - 0x1000], 1, READ).component();
    let ended = arena
        .cell
        .run(&guest, request(&pattern(mode::PLAIN, 6, BYTES)));
    assert_eq!(
        ended.outcome.kind,
        OutcomeKind::Trap,
        "{}",
        ended.outcome.message
    );
    arena.assert_serves();
}

/// However launches end, none finds anything of those before it: not in memory, which the guest searches, nor in results.
#[test]
fn no_launch_finds_what_another_had() {
    let launches = std::env::var("HOTCELL_MAPPED_LAUNCHES").ok();
    let launches: u32 =
        launches.map_or(2_000, |count| count.parse().expect("a number of launches"));
    let cell = few_slots().build().unwrap();
    let guest = Guest::named("maps_arrays").component();
    let one = |launch: u32| {
        let mode = match launch % 64 {
            10 | 11 => mode::NO_WRITE,
            20 | 21 => mode::TRAP,
            30 if launch.is_multiple_of(8 * 64) => mode::SPIN,
            40 => mode::SHIFTED,
            50 => mode::HALF,
            _ => mode::PLAIN,
        };
        let bytes = pattern(mode, launch, BYTES - (launch as usize % 7) * 4096);
        let mut request = request(&bytes);
        if mode == mode::SPIN {
            request = request.timeout(Duration::from_millis(30));
        }
        let ended = cell.run(&guest, request);
        match mode {
            mode::PLAIN => assert!(out(&ended) == bytes, "launch {launch}"),
            mode::TRAP => assert_eq!(ended.outcome.kind, OutcomeKind::Trap, "launch {launch}"),
            mode::SPIN => assert_eq!(ended.outcome.kind, OutcomeKind::Timeout, "launch {launch}"),
            _ => assert_eq!(ended.outcome.message, "", "launch {launch}"),
        }
    };
    std::thread::scope(|scope| {
        for thread in 0..2 {
            let one = &one;
            scope.spawn(move || (thread..launches).step_by(2).for_each(one));
        }
    });
}
