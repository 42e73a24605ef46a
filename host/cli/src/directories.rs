//! Directories that the command line gives to a kernel.

use crate::exit::CommandError;
use anyhow::{Result, anyhow};
use clap::Args;
use hotcell::grant::{Capability, Grants};
use hotcell::outcome::OutcomeKind;
use hotcell::{Directory, DirectoryAccess, Request, Terms};
use hotcell_policy::FilePolicy;

/// What the capability `files` reaches.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Capabilities")]
pub(crate) struct DirectoryArguments {
    /// Give the kernel a directory under a name of its own, to read (/data=DIRECTORY) or to write in, too
    /// (/data=DIRECTORY:rw); it grants `wasi` and `files`. Where there is a policy, that gives directories
    #[arg(long = "dir", value_name = "GUEST=DIRECTORY[:rw]", value_parser = directory)]
    directories: Vec<Directory>,
}

impl DirectoryArguments {
    /// What is granted, with those directories.
    pub(crate) fn terms(&self, grants: Grants) -> Terms {
        let brought = self.brought();
        Terms {
            grants: grants.iter().chain(brought).collect(),
            directories: self.directories.clone(),
            ..Terms::default()
        }
    }

    /// Has a request want what comes with directories.
    ///
    /// # Errors
    /// There is a policy, which alone gives any; or two have one name.
    pub(crate) fn apply(&self, request: Request, policy: Option<&FilePolicy>) -> Result<Request> {
        if let (Some(policy), false) = (policy, self.directories.is_empty()) {
            let words = format!(
                "`--dir` was asked for, and {} says which directories kernels are given",
                policy.name()
            );
            return Err(CommandError::of(OutcomeKind::Usage, anyhow!(words)));
        }
        for (at, one) in self.directories.iter().enumerate() {
            let mut before = self.directories[..at].iter();
            if before.any(|other| other.guest() == one.guest()) {
                let words = anyhow!("--dir {}= is given twice", one.guest());
                return Err(CommandError::of(OutcomeKind::Usage, words));
            }
        }
        let brought = self.brought();
        Ok(brought.fold(request, |request, one| request.want(one)))
    }

    fn brought(&self) -> impl Iterator<Item = Capability> + use<> {
        let brought = [Capability::Wasi, Capability::Files];
        brought
            .into_iter()
            .filter(|_| !self.directories.is_empty())
            .collect::<Vec<_>>()
            .into_iter()
    }
}

/// Reads `GUEST=DIRECTORY` and `GUEST=DIRECTORY:rw`.
fn directory(text: &str) -> Result<Directory, String> {
    let (guest, host) = text
        .split_once('=')
        .ok_or("write GUEST=DIRECTORY, or GUEST=DIRECTORY:rw to let it be written in")?;
    let (host, access) = match host.strip_suffix(":rw") {
        Some(host) => (host, DirectoryAccess::Write),
        None => (host, DirectoryAccess::Read),
    };
    let host = std::path::absolute(host).map_err(|error| error.to_string())?;
    Directory::new(guest, host, access).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_read_only_unless_said() {
        let read = directory("/data=/srv/a=b").unwrap();
        assert_eq!(read.to_string(), "/data = /srv/a=b (read-only)");
        let written = directory("/out=/srv:rw").unwrap();
        assert_eq!(written.to_string(), "/out = /srv (read and write)");
        assert!(directory("/out=here").unwrap().host().is_absolute());
        for wrong in ["/data", "data=/srv", "/data=", "=/srv", "/a/../b=/srv"] {
            assert!(directory(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn directories_bring_their_capabilities_along() {
        let none = DirectoryArguments::default();
        assert!(!none.terms(Grants::built_in()).grants.has(Capability::Wasi));
        let one = DirectoryArguments {
            directories: vec![directory("/data=/srv").unwrap()],
        };
        let terms = one.terms(Grants::built_in());
        let has = |capability| terms.grants.has(capability);
        assert!(has(Capability::Wasi) && has(Capability::Files) && has(Capability::Log));
        assert_eq!(terms.directories.len(), 1);
        let twice = DirectoryArguments {
            directories: vec![one.directories[0].clone(), one.directories[0].clone()],
        };
        let error = twice.apply(Request::new(), None).err().unwrap();
        assert!(format!("{error:#}").contains("--dir /data= is given twice"));
    }
}
