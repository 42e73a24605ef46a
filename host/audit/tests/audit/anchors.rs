//! Checkpoints elsewhere, and what they prove.

use crate::harness::{Place, launch, overwrite};
use hotcell_audit::anchor::{Anchor, CommandAnchor, FileAnchor};
use hotcell_audit::verify::ProblemKind;
use hotcell_audit::{Against, AuditLog, Standing, verify};
use std::sync::Arc;

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

fn against(file: std::path::PathBuf) -> Against {
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
