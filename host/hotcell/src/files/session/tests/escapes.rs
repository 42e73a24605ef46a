//! Paths that lead outside, and what is no file: nothing outside is found, and nobody waits.

use super::{CREATE, Lab, READ, SECRET};
use hotcell_model::files::{FileAnswer, FileCommand, FileError, FileKind, OpenHow, Place};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

/// Everything that takes a path, with one that must not be found.
fn every_way(lab: &Lab, path: &str) -> Vec<(&'static str, FileAnswer)> {
    let place = |follows| Place {
        follows,
        ..lab.place(path)
    };
    let open = |how| FileCommand::Open {
        at: place(true),
        how,
    };
    let directory = OpenHow {
        directory: true,
        ..READ
    };
    let truncate = OpenHow {
        truncate: true,
        ..CREATE
    };
    [
        ("open", open(READ)),
        ("open a directory", open(directory)),
        ("create", open(CREATE)),
        ("truncate", open(truncate)),
        ("stat", FileCommand::StatAt(place(true))),
        (
            "make a directory",
            FileCommand::CreateDirectory(place(true)),
        ),
        (
            "remove a directory",
            FileCommand::RemoveDirectory(place(true)),
        ),
        ("unlink", FileCommand::Unlink(place(true))),
        (
            "rename from",
            FileCommand::Rename {
                from: place(true),
                to: lab.place("stolen"),
            },
        ),
        (
            "rename to",
            FileCommand::Rename {
                from: lab.place("file"),
                to: place(true),
            },
        ),
        ("read a link", FileCommand::ReadLink(place(false))),
    ]
    .map(|(name, command)| (name, lab.call(command)))
    .into()
}

#[track_caller]
fn assert_refused_in_every_way(lab: &Lab, path: &str) {
    for (name, answer) in every_way(lab, path) {
        assert!(
            matches!(answer, FileAnswer::Refused(_)),
            "{name} {path:?}: {answer:?}"
        );
    }
    lab.assert_outside_untouched();
    assert!(lab.inside("file").exists() && !lab.inside("stolen").exists());
}

#[test]
fn dots_lead_nowhere_in_any_position() {
    for path in [
        "..",
        "../",
        "../.",
        "../secret",
        "../inside",
        "../inside/file",
        "./../secret",
        "deep/../../secret",
        "deep/er/../../../secret",
        "deep/../deep/../../outside/secret",
        "deep/..//../secret",
        "../outside/../secret",
        "nothing/../../secret",
        "deep/er/../../..",
        "file/../../secret",
    ] {
        assert_refused_in_every_way(&Lab::writable(), path);
    }
}

#[test]
fn dots_that_stay_inside_are_followed() {
    let lab = Lab::writable();
    for path in [
        "file",
        "./file",
        "deep/../file",
        "deep/er/../../file",
        ".//file",
        "deep/./er/.././../file",
    ] {
        assert_eq!(lab.read(path).unwrap(), b"0123456789", "{path}");
    }
}

#[test]
fn paths_from_the_root_lead_nowhere() {
    let lab = Lab::writable();
    let absolute = lab.around().join("secret").display().to_string();
    let within = lab.inside("file").display().to_string();
    for path in [
        "/",
        "//",
        "/etc/passwd",
        "/proc/self/root",
        &absolute,
        &within,
    ] {
        assert_refused_in_every_way(&lab, path);
    }
}

#[test]
fn links_to_the_outside_are_not_followed() {
    let lab = Lab::writable();
    let around = lab.around().to_owned();
    let links: [(&str, std::path::PathBuf); 6] = [
        ("relative", "../secret".into()),
        ("absolute", around.join("secret")),
        ("directory", "../outside".into()),
        ("root", "/".into()),
        ("proc", "/proc/self/cwd".into()),
        ("up", "..".into()),
    ];
    for (name, target) in &links {
        symlink(target, lab.inside(name)).unwrap();
    }
    symlink("relative", lab.inside("twice")).unwrap();
    symlink("../../secret", lab.inside("deep/up")).unwrap();
    for path in [
        "relative",
        "absolute",
        "twice",
        "deep/up",
        "directory/secret",
        "directory/.",
        "directory/",
        "root/etc/passwd",
        "proc/secret",
        "up/secret",
        "up/inside/file",
        "deep/../up/secret",
    ] {
        for how in [READ, CREATE] {
            assert!(lab.open(path, how).is_err(), "{path}");
        }
        let stat = lab.call(FileCommand::StatAt(lab.place(path)));
        assert!(matches!(stat, FileAnswer::Refused(_)), "{path}: {stat:?}");
    }
    for path in ["directory/new", "up/new", "root/tmp/hotcell-new"] {
        assert!(lab.open(path, CREATE).is_err(), "{path}");
        let made = lab.done(FileCommand::CreateDirectory(lab.place(path)));
        assert!(made.is_err(), "{path}");
        let moved = lab.done(FileCommand::Rename {
            from: lab.place("file"),
            to: lab.place(path),
        });
        assert!(moved.is_err(), "{path}");
    }
    lab.assert_outside_untouched();
}

#[test]
fn a_link_itself_is_looked_at_and_removed_and_not_what_it_leads_to() {
    let lab = Lab::writable();
    symlink("../secret", lab.inside("link")).unwrap();
    let stat = lab.call(FileCommand::StatAt(Place {
        follows: false,
        ..lab.place("link")
    }));
    match stat {
        FileAnswer::Stat(stat) => assert_eq!(stat.kind, FileKind::Link),
        other => panic!("{other:?}"),
    }
    let opened = lab.opened(FileCommand::Open {
        at: Place {
            follows: false,
            ..lab.place("link")
        },
        how: READ,
    });
    assert_eq!(opened, Err(FileError::Loop));
    let target = lab.call(FileCommand::ReadLink(lab.place("link")));
    assert_eq!(target, FileAnswer::Text("../secret".to_owned()));
    lab.done(FileCommand::Unlink(lab.place("link"))).unwrap();
    assert!(lab.inside("link").symlink_metadata().is_err());
    lab.assert_outside_untouched();
}

#[test]
fn links_that_stay_inside_are_followed() {
    let lab = Lab::writable();
    symlink("file", lab.inside("link")).unwrap();
    symlink("../file", lab.inside("deep/link")).unwrap();
    symlink("deep/er", lab.inside("short")).unwrap();
    for path in ["link", "deep/link", "short/../../file"] {
        assert_eq!(lab.read(path).unwrap(), b"0123456789", "{path}");
    }
}

#[test]
fn nothing_is_made_through_a_link_that_dangles_outside() {
    let lab = Lab::writable();
    symlink("../new", lab.inside("out")).unwrap();
    symlink(lab.around().join("new"), lab.inside("absolute")).unwrap();
    symlink("made", lab.inside("in")).unwrap();
    let exclusive = OpenHow {
        exclusive: true,
        ..CREATE
    };
    for how in [CREATE, exclusive] {
        for path in ["out", "absolute"] {
            assert!(lab.open(path, how).is_err(), "{path}");
        }
    }
    lab.assert_outside_untouched();
    lab.open("in", CREATE).unwrap();
    assert!(lab.inside("made").exists());
}

#[test]
fn loops_of_links_end() {
    let lab = Lab::writable();
    symlink("b", lab.inside("a")).unwrap();
    symlink("a", lab.inside("b")).unwrap();
    symlink("self", lab.inside("self")).unwrap();
    symlink("self/x", lab.inside("longer")).unwrap();
    for path in ["a", "self", "longer", "a/file", "self/../file"] {
        assert_eq!(lab.open(path, READ), Err(FileError::Loop), "{path}");
    }
}

#[test]
fn special_files_are_not_opened_and_nobody_waits_for_them() {
    let lab = Lab::writable();
    mknodat(CWD, lab.inside("pipe"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    let _listener = UnixListener::bind(lab.inside("socket")).unwrap();
    symlink("pipe", lab.inside("to-pipe")).unwrap();
    // Only root makes devices.
    let device = rustix::fs::makedev(1, 3);
    let made = mknodat(
        CWD,
        lab.inside("null"),
        FileType::CharacterDevice,
        Mode::RWXU,
        device,
    );
    let mut paths = vec!["pipe", "socket", "to-pipe"];
    paths.extend(made.is_ok().then_some("null"));
    let truncate = OpenHow {
        truncate: true,
        ..CREATE
    };
    for path in paths {
        for how in [READ, CREATE, truncate] {
            assert_eq!(lab.open(path, how), Err(FileError::Unsupported), "{path}");
        }
    }
    let kinds = lab.list(".").unwrap();
    let pipe = kinds.iter().find(|entry| entry.name == "pipe").unwrap();
    assert_eq!(pipe.kind, FileKind::Special);
}

#[test]
fn names_that_are_none_are_refused() {
    let lab = Lab::writable();
    assert_eq!(lab.open("", READ), Err(FileError::NoEntry));
    for path in ["fi\0le", "\0", "file\0"] {
        assert_eq!(lab.open(path, READ), Err(FileError::Invalid), "{path:?}");
    }
    let name = "x".repeat(256);
    assert_eq!(lab.open(&name, CREATE), Err(FileError::NameTooLong));
    for len in [4096, 10_000, 60_000] {
        let long = "./".repeat(len / 2);
        assert_eq!(lab.open(&long, READ), Err(FileError::NameTooLong));
    }
    // Deep, and short enough.
    let deep = "deep/../".repeat(500) + "file";
    assert_eq!(lab.read(&deep).unwrap(), b"0123456789");
}

#[test]
fn a_slash_at_the_end_makes_no_file_of_a_directory_nor_the_other_way() {
    let lab = Lab::writable();
    for path in ["file/", "file/.", "file/..", "file//", "file/./"] {
        assert!(lab.open(path, READ).is_err(), "{path}");
    }
    for path in ["new/", "new/."] {
        assert!(lab.open(path, CREATE).is_err(), "{path}");
    }
    for path in ["deep", "deep/", "deep/.", "deep//"] {
        lab.open(path, READ).unwrap();
        assert_eq!(
            lab.open(path, CREATE),
            Err(FileError::IsDirectory),
            "{path}"
        );
    }
    assert!(!lab.inside("new").exists());
}

#[test]
fn the_directory_itself_cannot_be_removed_or_moved() {
    let lab = Lab::writable();
    for path in [".", "./", "deep/..", "deep/../."] {
        assert!(
            lab.done(FileCommand::RemoveDirectory(lab.place(path)))
                .is_err()
        );
        assert!(lab.done(FileCommand::Unlink(lab.place(path))).is_err());
        let moved = FileCommand::Rename {
            from: lab.place(path),
            to: lab.place("deep/moved"),
        };
        assert!(lab.done(moved).is_err(), "{path}");
    }
    assert!(lab.inside("file").exists());
}

#[test]
fn a_directory_that_is_only_read_is_not_changed_in_any_way() {
    let lab = Lab::new(super::DirectoryAccess::Read);
    assert_eq!(lab.read("file").unwrap(), b"0123456789");
    let write = OpenHow {
        write: true,
        ..READ
    };
    let truncate = OpenHow {
        truncate: true,
        ..READ
    };
    for how in [CREATE, write, truncate] {
        assert_eq!(lab.open("file", how), Err(FileError::ReadOnly));
    }
    for command in [
        FileCommand::CreateDirectory(lab.place("new")),
        FileCommand::RemoveDirectory(lab.place("deep/er")),
        FileCommand::Unlink(lab.place("file")),
        FileCommand::Rename {
            from: lab.place("file"),
            to: lab.place("moved"),
        },
    ] {
        assert_eq!(lab.done(command), Err(FileError::ReadOnly));
    }
    // A file that was opened to be read is not written, nor cut.
    let file = lab.open("file", READ).unwrap();
    let refused = FileAnswer::Refused(FileError::BadDescriptor);
    assert_eq!(lab.write(file, Some(0), b"x"), refused);
    let cut = FileCommand::SetSize {
        file,
        size_bytes: 0,
    };
    assert_eq!(lab.call(cut), refused);
    assert_eq!(std::fs::read(lab.inside("file")).unwrap(), b"0123456789");
}

#[test]
fn what_is_known_of_a_file_does_not_say_where_it_is() {
    let lab = Lab::writable();
    let stat = |lab: &Lab, path: &str| match lab.call(FileCommand::StatAt(lab.place(path))) {
        FileAnswer::Stat(stat) => stat,
        other => panic!("{other:?}"),
    };
    let (one, same, other) = (stat(&lab, "file"), stat(&lab, "./file"), stat(&lab, "deep"));
    assert_eq!(one.identity, same.identity);
    assert_ne!(one.identity, other.identity);
    // Without a clock there are no times, and another launch sees another identity.
    assert_eq!(one.times, None);
    let again = lab.call(FileCommand::Roots);
    assert!(!format!("{again:?}").contains("inside"), "{again:?}");
    assert!(!format!("{again:?}").contains(SECRET));
}
