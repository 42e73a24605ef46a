//! What a launch's files count, and words that no honest runner sends.

use super::{CREATE, Lab, READ, breached};
use crate::files::DirectoryAccess::{Read, Write};
use hotcell_model::files::{
    FileAnswer, FileCommand, FileError, FileId, FileLink, PATH_BYTES, PIECE_BYTES, Place,
};
use hotcell_model::limit::Limit;
use std::os::unix::fs::MetadataExt;

#[test]
fn opening_again_and_again_ends_the_launch() {
    let lab = Lab::with_limits(Read, &[(Limit::FileOpens, 5)]);
    for _ in 0..5 {
        let file = lab.open("file", READ).unwrap();
        lab.done(FileCommand::Close(file)).unwrap();
    }
    let open = FileCommand::Open {
        at: lab.place("file"),
        how: READ,
    };
    let breach = breached(lab.call(open));
    assert_eq!(
        breach.to_string(),
        "limit file_opens: 6 requested, at most 5 allowed"
    );
    // Nothing is done after it.
    assert_eq!(breached(lab.call(FileCommand::Roots)), breach);
    assert_eq!(lab.session.breach(), Some(breach));
}

#[test]
fn to_make_a_directory_and_to_list_one_count_as_opening() {
    for last in [
        |lab: &Lab| FileCommand::CreateDirectory(lab.place("new")),
        |lab: &Lab| FileCommand::List(lab.root()),
    ] {
        let lab = Lab::with_limits(Write, &[(Limit::FileOpens, 0)]);
        assert_eq!(breached(lab.call(last(&lab))).limit, Limit::FileOpens);
        assert!(!lab.inside("new").exists());
    }
}

#[test]
fn handles_are_counted_while_they_are_open() {
    let lab = Lab::with_limits(Read, &[(Limit::FileHandles, 4)]);
    let root = lab.root();
    let open = || FileCommand::Open {
        at: Place {
            directory: root,
            path: "file".to_owned(),
            follows: true,
        },
        how: READ,
    };
    let files: Vec<FileId> = (0..3).map(|_| lab.opened(open()).unwrap()).collect();
    lab.done(FileCommand::Close(files[0])).unwrap();
    // To close what is closed gives nothing back.
    lab.done(FileCommand::Close(files[0])).unwrap();
    lab.opened(open()).unwrap();
    assert_eq!(
        breached(lab.call(open())).to_string(),
        "limit file_handles: 5 requested, at most 4 allowed"
    );
    assert_eq!(lab.session.usage().peak_handles, 4);
}

#[test]
fn bytes_are_counted_both_ways() {
    let lab = Lab::with_limits(Write, &[(Limit::FileBytes, 16)]);
    let file = lab.open("file", CREATE).unwrap();
    assert_eq!(lab.read_at(file, 0, 64).unwrap().len(), 10);
    assert_eq!(lab.write(file, Some(0), b"abcdef"), FileAnswer::Done);
    let breach = breached(lab.write(file, Some(0), b"g"));
    assert_eq!(
        breach.to_string(),
        "limit file_bytes: 17B requested, at most 16B allowed"
    );
    assert_eq!(std::fs::read(lab.inside("file")).unwrap(), b"abcdef6789");
    let usage = lab.session.usage();
    assert_eq!((usage.bytes_read, usage.bytes_written), (10, 6));
}

#[test]
fn a_gap_is_paid_for_as_if_it_were_written() {
    let size = |lab: &Lab| std::fs::metadata(lab.inside("file")).unwrap().size();
    for far in [1 << 20, 1 << 40, (1 << 62)] {
        let lab = Lab::with_limits(Write, &[(Limit::FileBytesWritten, 1 << 16)]);
        let file = lab.open("file", CREATE).unwrap();
        let breach = breached(lab.write(file, Some(far), b"x"));
        assert_eq!(breach.limit, Limit::FileBytesWritten);
        assert_eq!(breach.amount.value(), far + 1 - 10);
        assert_eq!(size(&lab), 10);

        let lab = Lab::with_limits(Write, &[(Limit::FileBytesWritten, 1 << 16)]);
        let file = lab.open("file", CREATE).unwrap();
        let longer = FileCommand::SetSize {
            file,
            size_bytes: far,
        };
        assert_eq!(breached(lab.call(longer)).limit, Limit::FileBytesWritten);
        assert_eq!(size(&lab), 10);
    }
    // Within it a gap is had, and to make a file shorter costs nothing.
    let lab = Lab::with_limits(Write, &[(Limit::FileBytesWritten, 100)]);
    let file = lab.open("file", CREATE).unwrap();
    assert_eq!(lab.write(file, Some(100), b"0123456789"), FileAnswer::Done);
    let cut = FileCommand::SetSize {
        file,
        size_bytes: 3,
    };
    assert_eq!(lab.call(cut), FileAnswer::Done);
    assert_eq!((size(&lab), lab.session.usage().bytes_written), (3, 100));
}

#[test]
fn ends_beyond_what_files_have_are_refused() {
    let lab = Lab::writable();
    let file = lab.open("file", CREATE).unwrap();
    for at in [u64::MAX, u64::MAX - 1, i64::MAX as u64, 1 << 63] {
        assert_eq!(lab.read_at(file, at, 64).unwrap(), b"");
        assert_eq!(lab.read_at(file, at, 0).unwrap(), b"");
        let refused = FileAnswer::Refused(FileError::TooLarge);
        assert_eq!(lab.write(file, Some(at), b"xy"), refused);
    }
    for size_bytes in [u64::MAX, 1 << 63] {
        let longer = FileCommand::SetSize { file, size_bytes };
        assert_eq!(lab.done(longer), Err(FileError::TooLarge));
    }
    assert_eq!(std::fs::read(lab.inside("file")).unwrap(), b"0123456789");
}

#[test]
fn lengths_that_no_honest_runner_asks_for_are_refused() {
    let lab = Lab::writable();
    let file = lab.open("file", CREATE).unwrap();
    let most = u32::try_from(PIECE_BYTES).unwrap();
    assert_eq!(lab.read_at(file, 0, most).unwrap().len(), 10);
    for len in [most + 1, u32::MAX] {
        assert_eq!(lab.read_at(file, 0, len), Err(FileError::Invalid));
    }
    let refused = FileAnswer::Refused(FileError::Invalid);
    assert_eq!(lab.write(file, Some(0), &vec![0; PIECE_BYTES + 1]), refused);
    let long = Place {
        path: "x".repeat(PATH_BYTES + 1),
        ..lab.place("")
    };
    let refused = FileAnswer::Refused(FileError::NameTooLong);
    assert_eq!(lab.call(FileCommand::StatAt(long)), refused);
}

#[test]
fn numbers_that_nobody_gave_are_no_handles() {
    let lab = Lab::writable();
    let (root, file) = (lab.root(), lab.open("file", CREATE).unwrap());
    let list = lab.opened(FileCommand::List(root)).unwrap();
    let of = |directory| Place {
        directory,
        path: "file".to_owned(),
        follows: true,
    };
    let closed = lab.open("file", READ).unwrap();
    lab.done(FileCommand::Close(closed)).unwrap();
    let is_refused = |command: FileCommand| {
        let answer = lab.call(command.clone());
        assert!(
            matches!(answer, FileAnswer::Refused(_)),
            "{command:?}: {answer:?}"
        );
    };
    for id in [FileId(0), FileId(u32::MAX), closed] {
        is_refused(FileCommand::Stat(id));
        is_refused(FileCommand::StatAt(of(id)));
        is_refused(FileCommand::Next(id));
        is_refused(FileCommand::List(id));
    }
    // What is open, and something else.
    for id in [file, list] {
        is_refused(FileCommand::StatAt(of(id)));
        is_refused(FileCommand::List(id));
        is_refused(FileCommand::Unlink(of(id)));
        is_refused(FileCommand::Rename {
            from: of(root),
            to: of(id),
        });
    }
    for file in [root, list] {
        is_refused(FileCommand::Read {
            file,
            offset_bytes: 0,
            len_bytes: 1,
        });
        is_refused(FileCommand::SetSize {
            file,
            size_bytes: 1,
        });
    }
    is_refused(FileCommand::Next(root));
    is_refused(FileCommand::Stat(list));
    assert_eq!(std::fs::read(lab.inside("file")).unwrap(), b"0123456789");
}

#[test]
fn what_was_counted_is_known_while_a_command_does_not_come_back() {
    let lab = Lab::writable();
    lab.read("file").unwrap();
    // As if the operating system kept it.
    let _kept = lab.session.state();
    assert_eq!(lab.session.usage().bytes_read, 10);
    assert_eq!(lab.session.breach(), None);
}
