//! The daemon: whom it serves, what it is asked, and those who mean it no good.

mod figures;
mod hostile;
mod people;
mod running;
mod transcripts;

use hotcell::{Array, Component};
use hotcell_serve::client::Client;
use hotcell_serve::protocol::LaunchAsk;
use hotcell_tests::{Daemon, Guest};

/// Waits until that holds, and panics where it does not come about.
#[track_caller]
fn eventually(what: &str, holds: impl FnMut() -> bool) {
    let patience = std::time::Duration::from_secs(60);
    assert!(
        hotcell_tests::processes::eventually(patience, holds),
        "never: {what}"
    );
}

/// 4096 bytes, as test guests take them.
fn input() -> Array {
    let x: Vec<u8> = (0..=u8::MAX).cycle().take(4096).collect();
    Array::from_slice(&x, [4096]).expect("as many as its shape says")
}

/// A launch of an uploaded guest.
fn ask(client: &mut Client, guest: &str) -> LaunchAsk {
    ask_for(client, &Guest::named(guest).component())
}

fn ask_for(client: &mut Client, component: &Component) -> LaunchAsk {
    let kept = client.upload(component).expect("it is a kernel");
    assert_eq!(kept.digest, component.digest());
    LaunchAsk::new(kept.digest)
}

/// Launches the honest guest, and checks what comes out.
#[track_caller]
fn is_served(client: &mut Client) {
    let ask = ask(client, "honest");
    let x = input();
    let (end, results) = client.launch(ask, [("x", &x)], &()).expect("it is served");
    assert_eq!(end.outcome.kind.name(), "done", "{}", end.outcome.message);
    assert_eq!(results[0].array.bytes(), x.bytes());
}

/// What a daemon holds: descriptors, threads, workers.
fn held(daemon: &Daemon) -> (usize, usize, usize) {
    use hotcell_tests::processes::children_of;
    let count = |what: &str| {
        let folder = std::fs::read_dir(format!("/proc/{}/{what}", daemon.id()));
        folder.expect("it runs").count()
    };
    (count("fd"), count("task"), children_of(daemon.id()).len())
}
