//! Outputs appear whole or not at all, under the name that was given and no other.

use crate::support::{locator, names_in, ty, write_in};
use hotcell_formats::{Durability, Place, Sink, WriteError, check_distinct, commit_all, prepare};
use hotcell_model::manifest::DType;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::process::Command;

/// Whether an error is the one that a table expects.
type Expected = fn(&WriteError) -> bool;

fn sink(directory: &Path, name: &str) -> Sink {
    prepare(&locator(directory, name), &ty(DType::U8, &[4])).unwrap()
}

#[test]
fn preparing_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    sink(directory.path(), "x.npy");
    assert!(names_in(directory.path()).is_empty());
}

#[test]
fn an_old_file_is_replaced_whole_and_in_both_durabilities() {
    let directory = tempfile::tempdir().unwrap();
    for durability in [Durability::Written, Durability::Synced] {
        std::fs::write(directory.path().join("x.npy"), "old").unwrap();
        let sink = sink(directory.path(), "x.npy");
        commit_all(vec![(sink, &[1, 2, 3, 4])], durability).unwrap();
        let bytes = std::fs::read(directory.path().join("x.npy")).unwrap();
        assert!(bytes.starts_with(b"\x93NUMPY") && bytes.ends_with(&[1, 2, 3, 4]));
        assert_eq!(names_in(directory.path()), ["x.npy"]);
    }
}

#[test]
fn a_symbolic_link_is_neither_followed_nor_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("precious");
    std::fs::write(&target, "old").unwrap();
    for aim in [target.clone(), directory.path().join("nowhere")] {
        let link = directory.path().join("x.npy");
        symlink(&aim, &link).unwrap();
        let error = write_in(directory.path(), &[("x.npy", ty(DType::U8, &[1]), &[1])]);
        assert!(matches!(
            error,
            Err(WriteError::InTheWay {
                kind: "a symbolic link",
                ..
            })
        ));
        assert!(link.is_symlink());
        std::fs::remove_file(link).unwrap();
    }
    assert_eq!(std::fs::read_to_string(target).unwrap(), "old");
    assert_eq!(names_in(directory.path()), ["precious"]);
}

#[test]
fn a_link_or_directory_that_appears_during_the_run_stops_every_output() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("precious"), "old").unwrap();
    let sinks = [
        sink(directory.path(), "a.npy"),
        sink(directory.path(), "b.npy"),
    ];
    symlink("precious", directory.path().join("b.npy")).unwrap();
    let outputs = sinks
        .into_iter()
        .map(|sink| (sink, &[0u8; 4][..]))
        .collect();
    let error = commit_all(outputs, Durability::Written).unwrap_err();
    assert!(matches!(error, WriteError::InTheWay { .. }), "{error:?}");
    assert_eq!(names_in(directory.path()), ["b.npy", "precious"]);
    let old = std::fs::read_to_string(directory.path().join("precious")).unwrap();
    assert_eq!(old, "old");
}

#[test]
fn directories_pipes_and_missing_directories_are_refused_before_the_run() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("d.npy")).unwrap();
    std::fs::write(directory.path().join("file"), "").unwrap();
    let fifo = directory.path().join("f.npy");
    assert!(
        Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    let table: [(&str, Expected); 4] = [
        ("d.npy", |e| {
            matches!(
                e,
                WriteError::InTheWay {
                    kind: "a directory",
                    ..
                }
            )
        }),
        ("f.npy", |e| {
            matches!(
                e,
                WriteError::InTheWay {
                    kind: "a pipe or device",
                    ..
                }
            )
        }),
        ("none/x.npy", |e| matches!(e, WriteError::Directory { .. })),
        ("file/x.npy", |e| matches!(e, WriteError::Directory { .. })),
    ];
    for (name, expected) in table {
        let locator = locator(directory.path(), name);
        let error = prepare(&locator, &ty(DType::U8, &[1])).unwrap_err();
        assert!(expected(&error), "{name}: {error:?}");
    }
}

#[test]
fn one_failing_output_leaves_all_old_files_whole() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("a.npy"), "old").unwrap();
    let good = sink(directory.path(), "a.npy");
    let bad = sink(directory.path(), "b.npy");
    let outputs = vec![(good, &[0u8; 4][..]), (bad, &[0u8; 3][..])];
    let error = commit_all(outputs, Durability::Written).unwrap_err();
    assert!(matches!(
        error,
        WriteError::Length {
            requested: 3,
            maximum: 4,
            ..
        }
    ));
    assert_eq!(
        std::fs::read_to_string(directory.path().join("a.npy")).unwrap(),
        "old"
    );
    assert_eq!(names_in(directory.path()), ["a.npy"]);
}

#[test]
fn outputs_of_one_name_are_refused_however_they_are_spelt() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("d")).unwrap();
    let table = [
        ("x.npy", "x.npy", false),
        ("x.npy", "d/../x.npy", false),
        ("x.npy", "y.npy", true),
        ("x.npz:a", "x.npz:a.npy", false),
        ("x.npz:a", "x.npz:b", true),
    ];
    for (one, other, distinct) in table {
        let sinks = [sink(directory.path(), one), sink(directory.path(), other)];
        assert_eq!(check_distinct(&sinks).is_ok(), distinct, "{one} {other}");
    }
    let frames = ty(DType::U8, &[3, 1, 1]);
    let frames = prepare(&locator(directory.path(), "x{}.png"), &frames).unwrap();
    let single = prepare(
        &locator(directory.path(), "x1.png"),
        &ty(DType::U8, &[1, 1]),
    )
    .unwrap();
    assert!(matches!(
        check_distinct(&[frames, single]),
        Err(WriteError::Conflict(_))
    ));
}

#[test]
fn an_archive_is_not_replaced_for_a_part_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let byte = || ty(DType::U8, &[1]);
    let both = [("x.npz:a", byte(), &[1][..]), ("x.npz:b", byte(), &[2])];
    write_in(directory.path(), &both).unwrap();
    let old = std::fs::read(directory.path().join("x.npz")).unwrap();
    let sinks = [
        sink(directory.path(), "x.npz:a"),
        sink(directory.path(), "x.npz:c"),
    ];
    match check_distinct(&sinks).unwrap_err() {
        WriteError::MemberLost { member, .. } => assert_eq!(member, "b"),
        other => panic!("{other:?}"),
    }
    assert!(write_in(directory.path(), &both[..1]).is_err());
    assert_eq!(std::fs::read(directory.path().join("x.npz")).unwrap(), old);
    write_in(directory.path(), &both).unwrap();
    std::fs::write(directory.path().join("x.npz"), "no archive").unwrap();
    write_in(directory.path(), &both[..1]).unwrap();
}

#[test]
fn a_file_that_is_kept_is_not_replaced_where_it_was_moved_to() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    std::fs::write(path("input.npy"), "precious").unwrap();
    let input = Place::of(&path("input.npy")).file().unwrap();
    let out = sink(directory.path(), "x.npy").keeping([input].into());
    std::fs::rename(path("input.npy"), path("x.npy")).unwrap();
    let error = commit_all(vec![(out, &[0; 4])], Durability::Written).unwrap_err();
    assert!(matches!(error, WriteError::Kept { .. }), "{error:?}");
    assert_eq!(std::fs::read(path("x.npy")).unwrap(), b"precious");
    assert_eq!(names_in(directory.path()), ["x.npy"]);
}

#[test]
fn outputs_have_the_mode_of_any_new_file() {
    let directory = tempfile::tempdir().unwrap();
    write_in(directory.path(), &[("x.npy", ty(DType::U8, &[1]), &[1])]).unwrap();
    std::fs::write(directory.path().join("plain"), "").unwrap();
    let mode = |name| {
        std::fs::metadata(directory.path().join(name))
            .unwrap()
            .mode()
    };
    assert_eq!(mode("x.npy"), mode("plain"));
}

/// The body of the next test, run inside a mount namespace with a small file system.
#[test]
#[ignore = "run by a_full_disk_is_an_error_and_the_old_file_is_whole"]
fn on_a_full_disk() {
    let directory = std::env::var_os("HOTCELL_TEST_FULL_DISK").expect("set by the other test");
    let directory = Path::new(&directory);
    std::fs::write(directory.join("x.npy"), "old").unwrap();
    let big = ty(DType::U8, &[1 << 20]);
    for name in ["x.npy", "x.npz:m"] {
        let outputs = [
            ("small.npy", ty(DType::U8, &[1]), &[1][..]),
            (name, big.clone(), &[1; 1 << 20]),
        ];
        let error = write_in(directory, &outputs).unwrap_err();
        assert!(
            matches!(
                error,
                WriteError::Full {
                    requested: 1_048_576,
                    ..
                }
            ),
            "{error:?}"
        );
    }
    assert_eq!(
        std::fs::read_to_string(directory.join("x.npy")).unwrap(),
        "old"
    );
    assert_eq!(names_in(directory), ["x.npy"]);
}

#[test]
fn a_full_disk_is_an_error_and_the_old_file_is_whole() {
    let directory = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs -o size=256k none \"$HOTCELL_TEST_FULL_DISK\" || exit 77; \
                  exec \"$0\" --exact outputs::on_a_full_disk --ignored";
    let status = Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", script])
        .arg(std::env::current_exe().unwrap())
        .env("HOTCELL_TEST_FULL_DISK", directory.path())
        .status();
    match status.map(|status| status.code()) {
        Ok(Some(0)) => {}
        Ok(Some(101)) => panic!("the test inside the namespace failed"),
        other => {
            let required = std::env::var_os("HOTCELL_REQUIRE_ALL_TESTS").is_some();
            assert!(
                !required,
                "a small file system could not be mounted: {other:?}"
            );
            eprintln!("SKIPPED: a small file system could not be mounted here: {other:?}");
        }
    }
}
