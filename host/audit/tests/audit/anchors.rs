//! Checkpoints elsewhere, and what they prove.

use crate::harness::{Place, launch, overwrite, record};
use crate::witness::Witness;
use hotcell_audit::anchor::{Anchor, AnchorError, CommandAnchor, FileAnchor, Told, WitnessAnchor};
use hotcell_audit::verify::ProblemKind;
use hotcell_audit::{Against, AuditLog, Standing, verify};
use hotcell_model::audit::Audit;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn with_anchor(
    place: &Place,
    anchor: impl Anchor + 'static,
    launches: std::ops::Range<u64>,
) -> AuditLog {
    let mut settings = place.settings();
    settings.anchors = vec![Arc::new(anchor)];
    let log = AuditLog::open(settings).unwrap();
    launches.for_each(|number| launch(&log, number));
    log.close().unwrap();
    log
}

fn against(file: PathBuf) -> Against {
    Against {
        files: vec![file],
        ..Against::default()
    }
}

#[test]
fn a_log_that_an_anchor_knows_all_of_is_proven_and_cutting_it_is_found() {
    let place = Place::new();
    let anchor = place.beside("anchor");
    with_anchor(&place, FileAnchor::new(&anchor), 0..20);
    let found = verify(&place.logs(), &against(anchor.clone())).unwrap();
    assert_eq!(found.standing, Standing::Proven, "{found:#?}");
    // Everything here is cut alike, as somebody does who has the directory.
    let path = place.file(".jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    let kept: Vec<_> = text.split_inclusive('\n').take(12).collect();
    overwrite(&path, kept.concat().as_bytes());
    overwrite(&place.file(".checkpoints"), b"");
    overwrite(&place.logs().join("newest/log-0001"), b"");
    assert_eq!(place.verify().standing, Standing::TailUnproven);
    let found = verify(&place.logs(), &against(anchor)).unwrap();
    assert_eq!(
        found.logs[0].problems[0].kind,
        ProblemKind::Cut,
        "{found:#?}"
    );
}

#[test]
fn what_an_anchor_does_not_know_yet_is_unproven() {
    let place = Place::new();
    let anchor = place.beside("anchor");
    with_anchor(&place, FileAnchor::new(&anchor), 0..5);
    let log = place.open();
    launch(&log, 5);
    log.close().unwrap();
    let found = verify(&place.logs(), &against(anchor)).unwrap();
    assert_eq!(found.standing, Standing::TailUnproven);
    assert_eq!((found.logs[0].anchored, found.logs[0].size), (10, 12));
}

#[test]
fn a_command_is_given_the_checkpoint_and_one_that_fails_is_told() {
    let place = Place::new();
    let file = place.beside("given");
    let script = "cat >> \"$0\"".to_owned();
    let arguments = vec!["-c".to_owned(), script, file.display().to_string()];
    let log = with_anchor(&place, CommandAnchor::new("sh", arguments), 0..2);
    assert_eq!(log.state().anchors[0].size, Some(4));
    let found = verify(&place.logs(), &against(file)).unwrap();
    assert_eq!(found.standing, Standing::Proven);
    drop(log);
    let log = with_anchor(&place, CommandAnchor::new("false", Vec::new()), 2..3);
    let state = log.state();
    assert!(
        state.anchors[0]
            .problem
            .as_ref()
            .unwrap()
            .contains("exit status: 1")
    );
    assert!(state.problems > 0);
}

fn asking(witness: &Witness) -> Against {
    Against {
        witnesses: vec![WitnessAnchor::new(&witness.url, witness.key.clone())],
        ..Against::default()
    }
}

#[test]
fn a_witness_sees_each_writer_continue_the_log_and_says_so() {
    let place = Place::with_launches(3);
    let witness = Witness::of(place.key().verifier("log-0001").unwrap());
    let anchor = || WitnessAnchor::new(&witness.url, witness.key.clone());
    for (launches, size) in [(3..8, 16), (8..9, 18)] {
        let log = with_anchor(&place, anchor(), launches);
        assert_eq!(log.state().anchors[0].problem, None);
        assert_eq!(witness.seen.lock().unwrap().0, size);
    }
    let found = verify(&place.logs(), &asking(&witness)).unwrap();
    assert_eq!(found.standing, Standing::Proven, "{found:#?}");
}

#[test]
fn a_witness_that_saw_more_or_something_else_speaks_against_the_log() {
    let place = Place::with_launches(3);
    let witness = Witness::of(place.key().verifier("log-0001").unwrap());
    with_anchor(
        &place,
        WitnessAnchor::new(&witness.url, witness.key.clone()),
        3..4,
    );
    let honest = *witness.seen.lock().unwrap();
    for (seen, kind) in [
        ((honest.0 + 2, honest.1), ProblemKind::Cut),
        (
            (honest.0, hotcell_audit::merkle::Hash::of_nothing()),
            ProblemKind::Changed,
        ),
    ] {
        *witness.seen.lock().unwrap() = seen;
        let found = verify(&place.logs(), &asking(&witness)).unwrap();
        assert_eq!(found.logs[0].problems[0].kind, kind, "{found:#?}");
    }
    let log = with_anchor(
        &place,
        WitnessAnchor::new(&witness.url, witness.key.clone()),
        4..5,
    );
    assert!(log.state().anchors[0].problem.is_some());
}

#[test]
fn an_answer_by_another_key_is_no_signature() {
    let place = Place::with_launches(1);
    let witness = Witness::of(place.key().verifier("log-0001").unwrap());
    let other = place.key().verifier("log-0002").unwrap();
    let log = with_anchor(&place, WitnessAnchor::new(&witness.url, other), 1..2);
    let problem = log.state().anchors[0].problem.clone().unwrap();
    assert!(problem.contains("no signature by its key"), "{problem}");
}

/// A file that is left alone for longer than any test takes, and says when it is asked for how long.
struct Patient {
    file: FileAnchor,
    asked: Mutex<Sender<()>>,
}

impl Anchor for Patient {
    fn name(&self) -> String {
        self.file.name()
    }

    fn interval(&self) -> Duration {
        // The test may be over.
        let _ = self.asked.lock().unwrap().send(());
        Duration::from_secs(3600)
    }

    fn tell(&self, told: &Told<'_>) -> Result<(), AnchorError> {
        self.file.tell(told)
    }
}

#[test]
fn an_anchor_that_was_left_alone_is_told_of_the_end() {
    let place = Place::new();
    let path = place.beside("anchor");
    let (asked, was_asked) = channel();
    let mut settings = place.settings();
    settings.anchors = vec![Arc::new(Patient {
        file: FileAnchor::new(&path),
        asked: Mutex::new(asked),
    })];
    let log = AuditLog::open(settings).unwrap();
    launch(&log, 0);
    log.flush().unwrap();
    while log.state().anchors[0].size.is_none() {
        std::thread::yield_now();
    }
    launch(&log, 1);
    log.flush().unwrap();
    was_asked.recv().unwrap();
    log.close().unwrap();
    let found = verify(&place.logs(), &against(path)).unwrap();
    assert_eq!(found.standing, Standing::Proven, "{found:#?}");
}

#[test]
fn half_a_note_in_an_anchors_file_is_told_and_spoils_no_other() {
    let place = Place::new();
    let path = place.beside("anchor");
    with_anchor(&place, FileAnchor::new(&path), 0..2);
    let whole = std::fs::read_to_string(&path).unwrap();
    for half in [3, 30, whole.len() - 60] {
        let torn = format!("{whole}{}", &whole[..half]);
        std::fs::write(&path, torn).unwrap();
        with_anchor(&place, FileAnchor::new(&path), 2..3);
        let found = verify(&place.logs(), &against(path.clone())).unwrap();
        assert_eq!(found.standing, Standing::Proven, "{half} {found:#?}");
        let is_told = |note: &String| note.contains("are no checkpoint");
        assert!(found.notes.iter().any(is_told), "{half} {found:#?}");
    }
}

#[test]
fn logs_and_key_that_were_replaced_are_not_proven_by_what_an_anchor_has_of_others() {
    let place = Place::new();
    let path = place.beside("anchor");
    with_anchor(&place, FileAnchor::new(&path), 0..3);
    let key = place.key();
    std::fs::remove_dir_all(place.logs()).unwrap();
    with_anchor(&place, FileAnchor::new(&path), 0..1);
    let found = verify(&place.logs(), &against(path.clone())).unwrap();
    assert_eq!(found.standing, Standing::TailUnproven, "{found:#?}");
    let other = key.origin("");
    let digits = other.split('/').nth(1).unwrap();
    assert!(found.notes[0].contains(digits), "{found:#?}");
    let of = |key| Against {
        key: Some(key),
        ..against(path.clone())
    };
    let found = verify(&place.logs(), &of(key)).unwrap();
    assert_eq!(found.standing, Standing::Broken);
    // An anchor of many hosts proves each by its own key.
    let found = verify(&place.logs(), &of(place.key())).unwrap();
    assert_eq!(found.standing, Standing::Proven, "{found:#?}");
}

/// A way to a witness, on which something happens before each request is passed on.
fn on_the_way(witness: &Witness, happens: impl Fn() + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let address = witness.url.strip_prefix("http://").unwrap().to_owned();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            happens();
            let mut client = client.unwrap();
            let mut server = TcpStream::connect(&address).unwrap();
            let mut ways = (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut ways.0, &mut ways.1));
            std::io::copy(&mut server, &mut client).unwrap();
            let _ = client.shutdown(Shutdown::Both);
        }
    });
    url
}

#[test]
fn a_witness_may_have_seen_what_was_written_while_the_log_was_read_and_no_more() {
    for (more, standing) in [(0, Standing::TailUnproven), (1, Standing::Broken)] {
        let place = Place::with_launches(1);
        let witness = Witness::of(place.key().verifier("log-0001").unwrap());
        let log = Arc::new(place.open());
        let (writing, seen) = (log.clone(), witness.seen.clone());
        let url = on_the_way(&witness, move || {
            launch(&writing, 7);
            writing.flush().unwrap();
            let signed = writing.state().checkpoint.unwrap();
            *seen.lock().unwrap() = (signed.size + more, signed.root);
        });
        let asked = Against {
            witnesses: vec![WitnessAnchor::new(&url, witness.key.clone())],
            ..Against::default()
        };
        let found = verify(&place.logs(), &asked).unwrap();
        assert_eq!(found.standing, standing, "{found:#?}");
        log.close().unwrap();
    }
}

/// An anchor that has what it is told once a log is open, which ends the channel, and waits for that a while.
struct Waiting {
    is_open: Mutex<Receiver<()>>,
}

impl Anchor for Waiting {
    fn name(&self) -> String {
        "one that waits".to_owned()
    }

    fn tell(&self, _: &Told<'_>) -> Result<(), AnchorError> {
        let is_open = self.is_open.lock().unwrap();
        match is_open.recv_timeout(Duration::from_secs(2)) {
            Err(RecvTimeoutError::Disconnected) => Ok(()),
            _ => Err(AnchorError::Io {
                what: self.name(),
                source: std::io::ErrorKind::TimedOut.into(),
            }),
        }
    }
}

#[test]
fn a_log_is_open_before_anchors_are_told_of_what_others_left() {
    let place = Place::new();
    let (one, two) = (place.open(), place.open());
    two.begin(&record(1)).unwrap();
    drop((one, two));
    let (opening, is_open) = channel();
    let mut settings = place.settings();
    settings.anchors = vec![Arc::new(Waiting {
        is_open: Mutex::new(is_open),
    })];
    let log = AuditLog::open(settings).unwrap();
    drop(opening);
    log.close().unwrap();
    let state = log.state();
    assert_eq!((state.log, state.problems), ("log-0001".to_owned(), 0));
    assert_eq!(place.verify().logs[1].unknown, 1);
}
