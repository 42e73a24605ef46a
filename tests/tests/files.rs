//! A directory that is given to kernels, with a secret beside it, and the guest that is told what to do with it.

use hotcell::grant::Capability;
use hotcell::{Array, Component, Directory, DirectoryAccess, Ended, Isolation, Request, Terms};
use hotcell_tests::{cell, checkout};
use std::path::Path;
use tempfile::TempDir;

/// A directory `inside`, and what is around it.
pub(crate) struct Files {
    folder: TempDir,
    access: DirectoryAccess,
}

impl Files {
    pub(crate) fn new(access: DirectoryAccess) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let inside = folder.path().join("inside");
        std::fs::create_dir(&inside).expect("a folder in it");
        let write = |path: &Path, text| std::fs::write(path, text).expect("a file");
        write(&inside.join("file"), "inside");
        write(&folder.path().join("secret"), "secret");
        std::os::unix::fs::symlink("../secret", inside.join("link")).expect("a link");
        Self { folder, access }
    }

    pub(crate) fn given(&self) -> Directory {
        let inside = self.folder.path().join("inside");
        Directory::new("/data", inside, self.access).expect("paths from the root")
    }

    pub(crate) fn remove(self) {
        self.folder.close().expect("it is removed");
    }

    #[track_caller]
    pub(crate) fn assert_outside_untouched(&self) {
        let names = std::fs::read_dir(self.folder.path()).expect("it is there");
        assert_eq!(names.count(), 2);
        let secret = std::fs::read_to_string(self.folder.path().join("secret"));
        assert_eq!(secret.expect("it is there"), "secret");
    }

    #[track_caller]
    pub(crate) fn assert_untouched(&self) {
        self.assert_outside_untouched();
        let names = std::fs::read_dir(self.folder.path().join("inside")).expect("it is there");
        assert_eq!(names.count(), 2);
        let file = std::fs::read_to_string(self.folder.path().join("inside/file"));
        assert_eq!(file.expect("it is there"), "inside");
    }
}

/// A request to do each line.
pub(crate) fn script(lines: &str) -> Request {
    let lines = lines.as_bytes();
    let array = Array::from_slice(lines, [lines.len() as u64]).expect("a shape");
    Request::new().input("script", array).dim("m", 4096)
}

/// What came of it.
#[track_caller]
pub(crate) fn told(ended: &Ended) -> String {
    let told = ended.array("told");
    let told = told.unwrap_or_else(|| panic!("{:?}", ended.outcome));
    let told: Vec<u8> = told.to_vec().expect("bytes");
    let text = told.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8(text.to_vec()).expect("text")
}

/// Has the guest do it where these directories are given to whoever wants them.
pub(crate) fn run(isolation: Isolation, directories: &[Directory], request: Request) -> Ended {
    let policy = Terms {
        directories: directories.to_vec(),
        ..Terms::default()
    };
    let cell = cell(isolation).policy(policy.with_all_grants());
    let cell = cell.build().expect("a cell without a cache");
    cell.run(&probe(), request)
}

fn probe() -> Component {
    let probe = checkout().join("target/kernels/wasi-probe.wasm");
    Component::read(probe).expect("`cargo xtask kernels` builds it")
}

/// Wants what files take.
pub(crate) trait WantFiles {
    fn want_files(self) -> Self;
}

impl WantFiles for Request {
    fn want_files(self) -> Self {
        self.want(Capability::Wasi).want(Capability::Files)
    }
}
