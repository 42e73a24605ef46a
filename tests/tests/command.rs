//! The real `hotcell`: exit codes, reports, files, signals, receipts.

mod cache;
mod completions;
mod directories;
mod exit_codes;
mod hostile_names;
mod inputs;
mod memory;
mod outputs;
mod places;
mod policy;
mod profile;
mod receipts;
mod records;
mod reports;
mod schema;
mod sdk;
mod signals;
mod values;

use hotcell_tests::{Command, Guest, npy};

/// The arguments that every guest's default manifest takes.
const IN: &str = "--in x=@x.npy";

/// A place with `x.npy`, 4096 bytes, and a component for each name in `tests/guests`.
fn with(guests: &[&str]) -> Command {
    let command = Command::new();
    let x: Vec<u8> = (0..=u8::MAX).cycle().take(4096).collect();
    command.write("x.npy", npy("|u1", &[4096], &x));
    for guest in guests {
        command.guest(guest, &Guest::named(guest));
    }
    command
}
