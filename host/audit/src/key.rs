//! The key that checkpoints are signed with, and what the logs of a host are called in them.
//!
//! Whoever can read the key can forge: write another log, and sign it. Only what an anchor elsewhere has of a log speaks
//! against them.

use crate::error::AuditError;
use crate::note::{NoteSigner, VerifierKey};
use crate::own;
use ed25519_dalek::{SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

/// The file of the key, beside the logs.
const FILE: &str = "key";

/// The public key of a host, and what its logs are called by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostKey(VerifyingKey);

impl HostKey {
    /// The public half of the key in that directory; `None` if there is none.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn of(directory: &Path) -> Result<Option<Self>, AuditError> {
        let key = read(&directory.join(FILE))?;
        Ok(key.map(|key| Self(key.verifying_key())))
    }

    /// That of one of the host's logs, as somebody has it who audits them.
    pub fn of_verifier(key: &VerifierKey) -> Self {
        Self(*key.key())
    }

    /// What the log of that name is called in its checkpoints: no other host has a log of that name.
    pub fn origin(&self, log: &str) -> String {
        format!("hotcell/{}/{log}", self.digits())
    }

    /// What the host is called in that.
    pub(crate) fn digits(&self) -> String {
        let hash = Sha256::digest(self.0.as_bytes());
        hash[..8].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The key of one log.
    pub fn verifier(&self, log: &str) -> Option<VerifierKey> {
        VerifierKey::new(&self.origin(log), self.0)
    }
}

/// What host and log are called in an origin; `None` if it is none.
pub(crate) fn host_of(origin: &str) -> Option<(&str, &str)> {
    let (digits, log) = origin.strip_prefix("hotcell/")?.split_once('/')?;
    let is_host = digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_host.then_some((digits, log))
}

/// The key in that directory, made where there is none.
pub(crate) fn own(directory: &Path) -> Result<SigningKey, AuditError> {
    let path = directory.join(FILE);
    for _ in 0..2 {
        if let Some(key) = read(&path)? {
            return Ok(key);
        }
        match create(&path) {
            // Another process was faster: its key is the one.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            created => return created.map_err(AuditError::io(&path)),
        }
    }
    Err(AuditError::io(&path)(io::ErrorKind::Interrupted.into()))
}

/// What signs for one log.
pub(crate) fn signer(key: &SigningKey, log: &str) -> Result<NoteSigner, AuditError> {
    let origin = HostKey(key.verifying_key()).origin(log);
    NoteSigner::new(&origin, key.clone())
        .ok_or_else(|| AuditError::io(Path::new(log))(io::ErrorKind::InvalidInput.into()))
}

fn read(path: &Path) -> Result<Option<SigningKey>, AuditError> {
    let Some(bytes) = own::read(path, 33)? else {
        return Ok(None);
    };
    let key: [u8; 32] = bytes.try_into().map_err(|_| AuditError::NotAKey {
        path: path.to_owned(),
    })?;
    Ok(Some(SigningKey::from_bytes(&key)))
}

/// Writes a fresh key beside its place and links it there, so that nobody reads half of one.
fn create(path: &Path) -> io::Result<SigningKey> {
    let mut key = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut key)?;
    let directory = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let mut file = tempfile::Builder::new()
        .prefix(".key-")
        .tempfile_in(directory)?;
    file.write_all(&key)?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path).map_err(|error| error.error)?;
    Ok(SigningKey::from_bytes(&key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_is_made_once_and_guarded() {
        let base = tempfile::tempdir().unwrap();
        assert_eq!(HostKey::of(base.path()).unwrap(), None);
        let key = own(base.path()).unwrap();
        assert_eq!(own(base.path()).unwrap(), key);
        let path = base.path().join(FILE);
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(own(base.path()), Err(AuditError::NotOwn { .. })));
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, "short").unwrap();
        assert!(matches!(own(base.path()), Err(AuditError::NotAKey { .. })));
    }

    #[test]
    fn every_log_of_a_host_has_its_own_name_and_the_hosts_key() {
        let base = tempfile::tempdir().unwrap();
        let key = own(base.path()).unwrap();
        let host = HostKey::of(base.path()).unwrap().unwrap();
        let (one, two) = (
            host.verifier("log-0001").unwrap(),
            host.verifier("log-0002").unwrap(),
        );
        assert_ne!(one.id(), two.id());
        assert_eq!(signer(&key, "log-0001").unwrap().verifier(), &one);
        assert_eq!(HostKey::of_verifier(&one), host);
    }
}
