//! An operator's policy: one file that says who may run what, with how much.
//!
//! The file is TOML. [`keys`] lists all that it can say; [`FilePolicy::read`] reads it, and tells all that is wrong with it at
//! once, with lines and keys. What it means for a launch is [`FilePolicy`] as a [`hotcell::Policy`], by one rule:
//!
//! - *Limits*: built-in default → the policy's → the manifest's → the profile's → the tenant's → the request's. Each goes before
//!   those on its left, and none above the ceiling.
//! - *Ceilings*: of the built-in one, the policy's, the profile's and the tenant's the lowest holds.
//! - *Grants*: the tenant's, else everybody's; of these, those that the profile leaves. Nobody has what no line grants.
//! - *Metering*: the strongest that the policy, the profile and the tenant ask for, at least.
//! - *Isolation and tier*: the policy's. Neither is ever only observed.
//!
//! So a kernel that chooses its own name and weight gains nothing by either but other limits within its tenant's ceilings: what
//! must not be had is a ceiling. Where anything is said of fuel, metering is at least `strict`, since `fast` counts none.

mod contradictions;
pub mod explain;
mod file;
pub mod keys;
mod pattern;
mod problem;
mod read;
pub mod record;
pub mod reference;
mod resolve;
pub mod schema;
mod subjects;

pub use file::{NotASubject, Subjected};
pub use problem::{PolicyError, Problem};
pub use subjects::{Group, User};

use crate::record::{AlertRules, AuditRules, MetricsRules};
use file::PolicyFile;
use hotcell_model::digest::Digest;
use hotcell_model::layer::Tier;
use hotcell_model::profile::Isolation;
use hotcell_model::tenant::Tenant;
use std::fs::{File, Metadata};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The built-in policy as a file: what holds where there is none.
pub const BUILT_IN: &str = include_str!("built_in.toml");
/// The file's name in each place where it is looked for.
pub const FILE_NAME: &str = "hotcell.toml";

/// A policy that was read from a file. Cheap to clone.
#[derive(Clone, Debug)]
pub struct FilePolicy {
    file: Arc<PolicyFile>,
    name: Arc<str>,
    /// Of its text.
    digest: Digest,
}

/// A policy cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read the policy {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file that nobody named, and that somebody else could have written.
    #[error("the policy {} {why}, and so could be anybody's", path.display())]
    NotOwn {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        why: &'static str,
    },
    /// The file is not taken.
    #[error(transparent)]
    Wrong(#[from] PolicyError),
}

impl FilePolicy {
    /// Reads a policy's text; `name` is what errors and refusals call it.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn read(name: &str, text: &str) -> Result<Self, PolicyError> {
        let file = read::read(name, text)?;
        Ok(Self {
            file: Arc::new(file),
            name: name.into(),
            digest: Digest::from_bytes(*blake3::hash(text.as_bytes()).as_bytes()),
        })
    }

    /// Reads a policy's file.
    ///
    /// # Errors
    /// It cannot be read, is no text, or something is wrong with it.
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        Self::load_if(path, |_| Ok(()))
    }

    fn load_if(
        path: &Path,
        accept: impl FnOnce(&Metadata) -> Result<(), &'static str>,
    ) -> Result<Self, LoadError> {
        let path = path.to_owned();
        let unreadable = |source| LoadError::Unreadable {
            path: path.clone(),
            source,
        };
        let file = File::open(&path).map_err(unreadable)?;
        let found = file.metadata().map_err(unreadable)?;
        if let Err(why) = accept(&found) {
            return Err(LoadError::NotOwn { path, why });
        }
        let mut text = String::new();
        // One byte more than is taken, so that what is longer is told to be.
        file.take(read::MAX_BYTES as u64 + 1)
            .read_to_string(&mut text)
            .map_err(unreadable)?;
        Ok(Self::read(&path.display().to_string(), &text)?)
    }

    /// Where a policy is looked for unless one is named: `/etc/hotcell/hotcell.toml`, then the user's own under
    /// `$XDG_CONFIG_HOME` or `~/.config`. Never the working directory.
    pub fn places() -> Vec<PathBuf> {
        let own = std::env::var_os("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
            .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".config")));
        let system = PathBuf::from("/etc/hotcell").join(FILE_NAME);
        let own = own.map(|config| config.join("hotcell").join(FILE_NAME));
        std::iter::once(system).chain(own).collect()
    }

    /// The policy of the first of those places that has one; `None` where none has.
    ///
    /// # Errors
    /// The file that is there cannot be read, could have been written by somebody else, or is not taken: no other is used in
    /// its place.
    pub fn find() -> Result<Option<Self>, LoadError> {
        for path in Self::places() {
            match Self::load_if(&path, is_own) {
                Err(LoadError::Unreadable { source, .. })
                    if source.kind() == std::io::ErrorKind::NotFound => {}
                found => return found.map(Some),
            }
        }
        Ok(None)
    }

    /// The file, as it was named.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What has to keep launches apart from the host.
    pub fn isolation(&self) -> Isolation {
        self.file.isolation
    }

    /// Whether it gives any tenant budgets or bounds how many launches run, so that a cell under it needs accounts.
    pub fn has_budgets(&self) -> bool {
        let tenants = self.file.tenants.values().chain(&self.file.others);
        tenants
            .into_iter()
            .any(|tenant| !tenant.allowance.is_boundless())
    }

    /// The tenants that it names.
    pub fn tenants(&self) -> impl Iterator<Item = &Tenant> {
        self.file.tenants.keys()
    }

    /// What is recorded of everything that is asked for.
    pub fn audit(&self) -> &AuditRules {
        &self.file.audit
    }

    /// Who is told of alerts.
    pub fn alerts(&self) -> &AlertRules {
        &self.file.alerts
    }

    /// Where figures are to be had.
    pub fn metrics(&self) -> &MetricsRules {
        &self.file.metrics
    }

    /// The least that confined workers must have around them.
    pub fn tier(&self) -> Tier {
        self.file.tier
    }
}

/// Whether a file is root's or the caller's, and nobody else's to write.
fn is_own(found: &Metadata) -> Result<(), &'static str> {
    let own = rustix::process::geteuid().as_raw();
    if found.uid() != 0 && found.uid() != own {
        return Err("belongs to another user: give it to root or to yourself");
    }
    match found.mode() & 0o022 {
        0 => Ok(()),
        _ => Err("can be written by others: take that from group and others (`chmod go-w`)"),
    }
}
