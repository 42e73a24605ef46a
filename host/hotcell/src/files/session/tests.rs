//! What a launch's files let through, and what they do not: in the manner of `cap-std`'s own tests, by hand on a
//! directory beside which lies something that must not be found.

mod escapes;
mod quotas;
mod races;
mod work;

use super::super::{Directory, DirectoryAccess, open_all};
use super::FileSession;
use bytes::Bytes;
use hotcell_model::files::{
    Entry, FileAnswer, FileCommand, FileError, FileId, FileLink, OpenHow, Place,
};
use hotcell_model::gpu::Payload;
use hotcell_model::grant::Grants;
use hotcell_model::limit::{Breach, Limit, LimitSource, Limits};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A directory that is given, `inside`, and a secret in the one around it.
pub(super) struct Lab {
    pub(super) session: FileSession,
    folder: TempDir,
}

/// What is outside.
const SECRET: &str = "nobody may read this";

pub(super) const READ: OpenHow = OpenHow {
    read: true,
    write: false,
    create: false,
    exclusive: false,
    truncate: false,
    directory: false,
};
pub(super) const CREATE: OpenHow = OpenHow {
    write: true,
    create: true,
    ..READ
};

impl Lab {
    pub(super) fn new(access: DirectoryAccess) -> Self {
        // Every question for the root leaves one open.
        let handles = (Limit::FileHandles, Limit::FileHandles.ceiling());
        Self::with_limits(access, &[handles])
    }

    pub(super) fn writable() -> Self {
        Self::new(DirectoryAccess::Write)
    }

    pub(super) fn with_limits(access: DirectoryAccess, asked: &[(Limit, u64)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("inside");
        std::fs::create_dir_all(inside.join("deep/er")).unwrap();
        std::fs::write(inside.join("file"), "0123456789").unwrap();
        std::fs::write(folder.path().join("secret"), SECRET).unwrap();
        std::fs::create_dir(folder.path().join("outside")).unwrap();
        std::fs::write(folder.path().join("outside/secret"), SECRET).unwrap();
        let mut limits = Limits::defaults(Default::default());
        for (limit, value) in asked {
            limits
                .try_set(*limit, *value, LimitSource::Request)
                .unwrap();
        }
        let given = Directory::new("/data", &inside, access).unwrap();
        let session = FileSession::new(open_all(&[given]).unwrap(), limits, &Grants::none());
        Self { session, folder }
    }

    /// The directory around the one that is given.
    pub(super) fn around(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn inside(&self, path: &str) -> PathBuf {
        self.folder.path().join("inside").join(path)
    }

    pub(super) fn call(&self, command: FileCommand) -> FileAnswer {
        self.session.call(command).expect("it serves")
    }

    pub(super) fn root(&self) -> FileId {
        match self.call(FileCommand::Roots) {
            FileAnswer::Roots(roots) => roots[0].opened.id,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn place(&self, path: &str) -> Place {
        Place {
            directory: self.root(),
            path: path.to_owned(),
            follows: true,
        }
    }

    pub(super) fn open(&self, path: &str, how: OpenHow) -> Result<FileId, FileError> {
        self.opened(FileCommand::Open {
            at: self.place(path),
            how,
        })
    }

    pub(super) fn opened(&self, command: FileCommand) -> Result<FileId, FileError> {
        match self.call(command) {
            FileAnswer::Opened(opened) => Ok(opened.id),
            FileAnswer::Refused(error) => Err(error),
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn done(&self, command: FileCommand) -> Result<(), FileError> {
        match self.call(command) {
            FileAnswer::Done => Ok(()),
            FileAnswer::Refused(error) => Err(error),
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn read(&self, path: &str) -> Result<Vec<u8>, FileError> {
        let file = self.open(path, READ)?;
        let read = self.read_at(file, 0, 64);
        self.done(FileCommand::Close(file)).unwrap();
        read
    }

    pub(super) fn read_at(
        &self,
        file: FileId,
        offset_bytes: u64,
        len_bytes: u32,
    ) -> Result<Vec<u8>, FileError> {
        let command = FileCommand::Read {
            file,
            offset_bytes,
            len_bytes,
        };
        match self.call(command) {
            FileAnswer::Bytes(Payload(bytes)) => Ok(bytes.to_vec()),
            FileAnswer::Refused(error) => Err(error),
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn write(&self, file: FileId, at: Option<u64>, data: &[u8]) -> FileAnswer {
        self.call(FileCommand::Write {
            file,
            offset_bytes: at,
            data: Payload(Bytes::copy_from_slice(data)),
        })
    }

    pub(super) fn list(&self, path: &str) -> Result<Vec<Entry>, FileError> {
        let directory = self.open(path, READ)?;
        let list = self.opened(FileCommand::List(directory))?;
        let mut all = Vec::new();
        loop {
            match self.call(FileCommand::Next(list)) {
                FileAnswer::Entries(entries) if entries.is_empty() => return Ok(all),
                FileAnswer::Entries(entries) => all.extend(entries),
                FileAnswer::Refused(error) => return Err(error),
                other => panic!("{other:?}"),
            }
        }
    }

    /// What is outside is as it was.
    #[track_caller]
    pub(super) fn assert_outside_untouched(&self) {
        let mut names: Vec<String> = std::fs::read_dir(self.around())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["inside", "outside", "secret"]);
        for secret in ["secret", "outside/secret"] {
            let text = std::fs::read_to_string(self.around().join(secret)).unwrap();
            assert_eq!(text, SECRET);
        }
        assert_eq!(
            std::fs::read_dir(self.around().join("outside"))
                .unwrap()
                .count(),
            1
        );
    }
}

#[track_caller]
pub(super) fn breached(answer: FileAnswer) -> Breach {
    match answer {
        FileAnswer::Breached(breach) => breach,
        other => panic!("{other:?}"),
    }
}
