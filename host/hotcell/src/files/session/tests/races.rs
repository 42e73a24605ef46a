//! What is looked up while somebody renames it: between a check and a use nothing outside is found.

use super::{CREATE, Lab, READ, SECRET};
use crate::files::DirectoryAccess::Write;
use hotcell_model::files::{FileCommand, FileError};
use hotcell_model::limit::Limit;
use std::fs::rename;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long each race goes on.
const RACING: Duration = Duration::from_millis(400);

/// A launch that may open more than it can in that time.
fn racing() -> Lab {
    let most = [Limit::FileOpens, Limit::FileHandles, Limit::FileBytes];
    Lab::with_limits(Write, &most.map(|limit| (limit, limit.ceiling())))
}

/// Does `swap` again and again on another thread, while `tried` is done here.
fn race(lab: &Lab, swap: impl Fn() + Send + Sync, tried: impl Fn()) {
    let is_over = AtomicBool::new(false);
    /// Ends the other thread on every way that this one ends on.
    struct Over<'a>(&'a AtomicBool);
    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    std::thread::scope(|scope| {
        let _over = Over(&is_over);
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                swap();
            }
        });
        let begun = Instant::now();
        while begun.elapsed() < RACING {
            tried();
            // Every question for the root leaves one open.
            for id in lab.opened_now() {
                lab.done(FileCommand::Close(id)).unwrap();
            }
        }
    });
}

/// Puts `good` and `bad` at `place` in turn.
fn swapping(lab: &Lab, place: &str, good: &str, bad: &str) -> impl Fn() + Send + Sync {
    let (place, good, bad) = (lab.inside(place), lab.inside(good), lab.inside(bad));
    move || {
        for one in [&good, &bad] {
            rename(one, &place).unwrap();
            rename(&place, one).unwrap();
        }
    }
}

#[test]
fn a_file_that_becomes_a_link_outside_is_never_read_through_it() {
    let lab = racing();
    symlink("../secret", lab.inside("bad")).unwrap();
    let swap = swapping(&lab, "place", "file", "bad");
    race(&lab, swap, || match lab.read("place") {
        Ok(bytes) => assert_eq!(bytes, b"0123456789"),
        Err(FileError::NoEntry | FileError::NotPermitted | FileError::Loop) => {}
        Err(other) => panic!("{other:?}"),
    });
}

#[test]
fn a_directory_that_becomes_a_link_outside_is_never_entered_through_it() {
    let lab = racing();
    std::fs::create_dir(lab.inside("good")).unwrap();
    std::fs::write(lab.inside("good/secret"), "inside").unwrap();
    symlink("../outside", lab.inside("bad")).unwrap();
    let swap = swapping(&lab, "place", "good", "bad");
    race(&lab, swap, || {
        if let Ok(bytes) = lab.read("place/secret") {
            assert_eq!(bytes, b"inside");
            assert_ne!(bytes, SECRET.as_bytes());
        }
        // To write and to make, too.
        if let Ok(file) = lab.open("place/made", CREATE) {
            lab.done(FileCommand::Close(file)).unwrap();
        }
        let _ = lab.done(FileCommand::Unlink(lab.place("place/made")));
        let _ = lab.done(FileCommand::CreateDirectory(lab.place("place/new")));
        let _ = lab.done(FileCommand::RemoveDirectory(lab.place("place/new")));
    });
    lab.assert_outside_untouched();
}

#[test]
fn a_path_with_dots_is_held_inside_while_its_directories_move() {
    let lab = racing();
    // `deep/er/../../file` is inside; were `er` one level up when the dots are gone through, it would be outside.
    let (low, high) = (lab.inside("deep/er"), lab.inside("er"));
    std::fs::write(lab.around().join("inside/deep/file"), "deep").unwrap();
    let swap = move || {
        rename(&low, &high).unwrap();
        rename(&high, &low).unwrap();
    };
    race(&lab, swap, || {
        for path in [
            "deep/er/../../file",
            "er/../../secret",
            "deep/er/../../../secret",
        ] {
            match lab.read(path) {
                Ok(bytes) => assert_eq!(bytes, b"0123456789", "{path}"),
                Err(error) => assert_ne!(error, FileError::Io, "{path}"),
            }
        }
    });
}

#[test]
fn a_file_that_becomes_a_pipe_makes_nobody_wait() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let lab = racing();
    mknodat(CWD, lab.inside("bad"), FileType::Fifo, Mode::RWXU, 0).unwrap();
    let swap = swapping(&lab, "place", "file", "bad");
    let begun = Instant::now();
    race(&lab, swap, || {
        if let Ok(file) = lab.open("place", READ) {
            assert_eq!(lab.read_at(file, 0, 4).unwrap(), b"0123");
        }
    });
    assert!(begun.elapsed() < RACING * 10);
}

impl Lab {
    /// What is open now.
    fn opened_now(&self) -> Vec<hotcell_model::files::FileId> {
        self.session.state().open.keys().copied().collect()
    }
}
