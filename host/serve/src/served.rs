//! The policy that is served: read once, and read again when the operator says so.

use hotcell::{Policy, Subject, Tenant, Terms};
use hotcell_model::digest::Digest;
use hotcell_model::grant::Capability;
use hotcell_policy::{FilePolicy, User};
use std::sync::{Arc, PoisonError, RwLock};

/// A policy that can be replaced while launches run: those that were permitted go on under what they were permitted.
#[derive(Clone)]
pub(crate) struct Served(Arc<RwLock<FilePolicy>>);

/// A policy cannot take the place of the one that is served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} requires {what} now: that is settled when the daemon starts, so restart it")]
pub struct NotReplaced {
    name: String,
    what: String,
}

impl Served {
    pub(crate) fn new(policy: FilePolicy) -> Self {
        Self(Arc::new(RwLock::new(policy)))
    }

    /// The policy as it is now.
    pub(crate) fn now(&self) -> FilePolicy {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Serves another from here on.
    ///
    /// # Errors
    /// It requires other walls, or another record: nothing is changed.
    pub(crate) fn replace(&self, policy: FilePolicy) -> Result<(), NotReplaced> {
        let mut served = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let refuse = |what: String| {
            let name = policy.name().to_owned();
            Err(NotReplaced { name, what })
        };
        if policy.tier() != served.tier() {
            return refuse(format!("`tier = {}`", policy.tier()));
        }
        if policy.isolation() != served.isolation() {
            return refuse(format!("`isolation = {}`", policy.isolation()));
        }
        for (table, is_same) in [
            ("audit", policy.audit() == served.audit()),
            ("alerts", policy.alerts() == served.alerts()),
            ("metrics", policy.metrics() == served.metrics()),
        ] {
            if !is_same {
                return refuse(format!("another `[{table}]`"));
            }
        }
        *served = policy;
        Ok(())
    }

    /// The tenant that a user belongs to now.
    pub(crate) fn tenant_of(&self, user: &User) -> Option<Tenant> {
        let served = self.0.read().unwrap_or_else(PoisonError::into_inner);
        served.tenant_of(user)
    }
}

impl Policy for Served {
    fn terms(&self, subject: &Subject<'_>) -> Terms {
        self.now().terms(subject)
    }

    fn digest(&self) -> Option<Digest> {
        self.now().digest()
    }

    fn remedy(&self, subject: &Subject<'_>, missing: Capability) -> Option<String> {
        self.now().remedy(subject, missing)
    }
}
