//! What a cell grants, and how much of it: the seam where an operator's policy goes.
//!
//! A request states wants; what of them is granted, and within which ceilings, is decided here and nowhere else.

use hotcell_model::digest::Digest;
use hotcell_model::grant::Grants;
use hotcell_model::limit::{Ceilings, Limit};
use hotcell_model::manifest::Kernel;
use hotcell_model::tenant::Tenant;
use std::collections::BTreeMap;

/// Decides what somebody may have of a cell.
pub trait Policy: Send + Sync {
    /// The terms for that. Asked before a component is looked at, and again once its kernel is known: the terms of a
    /// kernel are never wider than those without.
    fn terms(&self, subject: &Subject<'_>) -> Terms;
}

/// Whom and what terms are for.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Who is charged.
    pub tenant: &'a Tenant,
    /// The component's digest; absent if its file could not be read.
    pub component: Option<Digest>,
    /// The kernel, once it is known.
    pub kernel: Option<&'a Kernel>,
}

/// What somebody may have of a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The capabilities that are granted to those who want them.
    pub grants: Grants,
    /// Limits in place of defaults and of what a manifest asks for.
    pub limits: BTreeMap<Limit, u64>,
    /// The most that a manifest or a request can set each limit to.
    pub ceilings: Ceilings,
}

impl Default for Terms {
    /// The built-in policy: `log` and `control`, default limits, built-in ceilings.
    fn default() -> Self {
        Self {
            grants: Grants::built_in(),
            limits: BTreeMap::new(),
            ceilings: Ceilings::default(),
        }
    }
}

impl Terms {
    /// The same, with every capability that there is.
    #[must_use]
    pub fn with_all_grants(self) -> Self {
        let grants = Grants::all();
        Self { grants, ..self }
    }
}

/// The same terms for everybody.
impl Policy for Terms {
    fn terms(&self, _subject: &Subject<'_>) -> Terms {
        self.clone()
    }
}
