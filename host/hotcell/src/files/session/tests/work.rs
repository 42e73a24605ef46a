//! Honest work: what kernels do with files is done.

use super::{CREATE, Lab, READ, SECRET};
use crate::files::session::FileSession;
use crate::files::{Directory, DirectoryAccess, open_all};
use hotcell_model::files::{
    FileAnswer, FileCommand, FileError, FileLink, LISTED_BYTES, OpenHow, Place,
};
use hotcell_model::grant::{Capability, Grants};
use hotcell_model::limit::Limits;

#[test]
fn files_are_written_at_a_place_and_at_their_end() {
    let lab = Lab::writable();
    let file = lab.open("new", CREATE).unwrap();
    for (at, data) in [(Some(0), "abc"), (None, "def"), (Some(1), "X")] {
        assert_eq!(lab.write(file, at, data.as_bytes()), FileAnswer::Done);
    }
    assert_eq!(lab.read("new").unwrap(), b"aXcdef");
    let truncate = OpenHow {
        truncate: true,
        ..CREATE
    };
    lab.open("new", truncate).unwrap();
    assert_eq!(lab.read("new").unwrap(), b"");
    let exclusive = OpenHow {
        exclusive: true,
        ..CREATE
    };
    assert_eq!(lab.open("new", exclusive), Err(FileError::Exists));
    assert_eq!(lab.open("deep", exclusive), Err(FileError::Exists));
    lab.open("newer", exclusive).unwrap();
}

#[test]
fn names_are_made_changed_and_removed() {
    let lab = Lab::writable();
    lab.done(FileCommand::CreateDirectory(lab.place("made")))
        .unwrap();
    let rename = |from, to| FileCommand::Rename {
        from: lab.place(from),
        to: lab.place(to),
    };
    lab.done(rename("file", "made/moved")).unwrap();
    assert_eq!(lab.read("made/moved").unwrap(), b"0123456789");
    let remove = |path| lab.done(FileCommand::RemoveDirectory(lab.place(path)));
    assert_eq!(remove("made"), Err(FileError::NotEmpty));
    lab.done(FileCommand::Unlink(lab.place("made/moved")))
        .unwrap();
    remove("made").unwrap();
    assert!(!lab.inside("made").exists());
}

#[test]
fn a_large_directory_is_listed_in_pieces_and_without_its_surroundings() {
    let lab = Lab::writable();
    let names: Vec<String> = (0..900).map(|n| format!("{n:0>60}")).collect();
    assert!(names.iter().map(String::len).sum::<usize>() > 3 * LISTED_BYTES);
    for name in &names {
        std::fs::write(lab.inside("deep/er").join(name), "").unwrap();
    }
    let mut listed: Vec<String> = lab
        .list("deep/er")
        .unwrap()
        .into_iter()
        .map(|entry| entry.name)
        .collect();
    listed.sort();
    assert_eq!(listed, names);
}

#[test]
fn names_that_are_no_text_are_not_listed() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let lab = Lab::writable();
    let name = OsStr::from_bytes(b"deep/er/\xff");
    std::fs::write(lab.inside("").join(name), "").unwrap();
    assert_eq!(lab.list("deep/er").unwrap(), []);
}

#[test]
fn directories_that_were_given_are_apart() {
    let folder = tempfile::tempdir().unwrap();
    let given = ["one", "two"].map(|name| {
        let path = folder.path().join(name);
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join("file"), SECRET).unwrap();
        Directory::new(format!("/{name}"), path, DirectoryAccess::Write).unwrap()
    });
    let limits = Limits::defaults(Default::default());
    let grants = Grants::none().with(Capability::Clock);
    let session = FileSession::new(open_all(&given).unwrap(), limits, &grants);
    let Some(FileAnswer::Roots(roots)) = session.call(FileCommand::Roots) else {
        panic!("there are directories");
    };
    let place = |at: usize, path: &str| Place {
        directory: roots[at].opened.id,
        path: path.to_owned(),
        follows: true,
    };
    let rename = FileCommand::Rename {
        from: place(0, "file"),
        to: place(1, "moved"),
    };
    let refused = FileAnswer::Refused(FileError::CrossDevice);
    assert_eq!(session.call(rename), Some(refused));
    // Who has a clock may know when.
    match session.call(FileCommand::StatAt(place(0, "file"))) {
        Some(FileAnswer::Stat(stat)) => assert!(stat.times.unwrap().modified_ns > 0),
        other => panic!("{other:?}"),
    }
    let up = FileCommand::Open {
        at: place(0, "../two/file"),
        how: READ,
    };
    let answer = session.call(up).unwrap();
    assert!(matches!(answer, FileAnswer::Refused(_)), "{answer:?}");
}
