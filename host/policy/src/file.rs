//! A policy as it was read: what its file says, in types.

use crate::pattern::Pattern;
use crate::record::{AlertRules, AuditRules, MetricsRules};
use hotcell::Directory;
use hotcell_model::accounts::Allowance;
use hotcell_model::digest::Digest;
use hotcell_model::grant::Grants;
use hotcell_model::layer::Tier;
use hotcell_model::limit::Limit;
use hotcell_model::manifest::Weight;
use hotcell_model::profile::{Isolation, Metering};
use hotcell_model::tenant::Tenant;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// What keeps kernels apart from the host: the weakest first.
pub(crate) const KERNELS_ISOLATION: [Isolation; 2] = [Isolation::InProcess, Isolation::Confined];
/// The name that stands for every tenant that is not named.
pub(crate) const OTHERS: &str = "*";
/// What a policy's file says, without contradiction.
#[derive(Clone, Debug)]
pub(crate) struct PolicyFile {
    pub(crate) isolation: Isolation,
    pub(crate) tier: Tier,
    pub(crate) base: Part,
    pub(crate) profiles: BTreeMap<String, Part>,
    pub(crate) kernels: Vec<Binding>,
    /// Whether tenants are named at all: if not, everybody is served.
    pub(crate) has_tenants: bool,
    pub(crate) tenants: BTreeMap<Tenant, TenantPart>,
    pub(crate) others: Option<TenantPart>,
    pub(crate) audit: AuditRules,
    pub(crate) alerts: AlertRules,
    pub(crate) metrics: MetricsRules,
}

impl Default for PolicyFile {
    fn default() -> Self {
        Self {
            isolation: Isolation::Confined,
            tier: Tier::Full,
            base: Part::default(),
            profiles: BTreeMap::new(),
            kernels: Vec::new(),
            has_tenants: false,
            tenants: BTreeMap::new(),
            others: None,
            audit: AuditRules::default(),
            alerts: AlertRules::default(),
            metrics: MetricsRules::default(),
        }
    }
}

/// What everybody, a profile or a tenant may have.
#[derive(Clone, Debug, Default)]
pub(crate) struct Part {
    pub(crate) grants: Option<Grants>,
    pub(crate) metering: Option<Metering>,
    /// The directories that are given; `None` where nothing is said of them.
    pub(crate) directories: Option<Vec<Directory>>,
    /// Whether there may be guarded processes; `None` where nothing is said of them.
    pub(crate) guard: Option<bool>,
    /// Where its table, or what is read of it, stands.
    pub(crate) place: Range<usize>,
    pub(crate) limits: BTreeMap<Limit, Rule>,
    pub(crate) ceilings: BTreeMap<Limit, Ceiling>,
}

/// A limit of a policy.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) value: u64,
    pub(crate) mode: Mode,
    pub(crate) place: Range<usize>,
}

/// The most that a limit can be set to.
#[derive(Clone, Debug)]
pub(crate) struct Ceiling {
    pub(crate) value: u64,
    pub(crate) place: Range<usize>,
}

/// Whether a limit stops anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Enforce,
    Observe,
}

/// Which kernels have a profile, or are refused.
#[derive(Clone, Debug, Default)]
pub(crate) struct Binding {
    pub(crate) digest: Option<Digest>,
    pub(crate) name: Option<Pattern>,
    pub(crate) weight: Option<Weight>,
    pub(crate) profile: Option<(String, Range<usize>)>,
    pub(crate) deny: Option<String>,
    pub(crate) place: Range<usize>,
}

/// A tenant.
#[derive(Clone, Debug, Default)]
pub(crate) struct TenantPart {
    pub(crate) subjects: Vec<(Subjected, Range<usize>)>,
    pub(crate) profiles: Option<Vec<(String, Range<usize>)>>,
    pub(crate) part: Part,
    pub(crate) allowance: Allowance,
}

/// Somebody on this machine, as a policy names them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subjected {
    /// A user, by name.
    User(String),
    /// A user, by number.
    Uid(u32),
    /// Whoever is in a group, by name.
    Group(String),
    /// Whoever is in a group, by number.
    Gid(u32),
}

impl fmt::Display for Subjected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(name) => write!(f, "user:{name}"),
            Self::Uid(number) => write!(f, "uid:{number}"),
            Self::Group(name) => write!(f, "group:{name}"),
            Self::Gid(number) => write!(f, "gid:{number}"),
        }
    }
}

/// A text that names nobody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names nobody; write `user:NAME`, `uid:NUMBER`, `group:NAME` or `gid:NUMBER`")]
pub struct NotASubject(String);

impl FromStr for Subjected {
    type Err = NotASubject;

    fn from_str(text: &str) -> Result<Self, NotASubject> {
        let nobody = || NotASubject(text.to_owned());
        let (kind, name) = text.split_once(':').ok_or_else(nobody)?;
        let number = || name.parse::<u32>().map_err(|_| nobody());
        match kind {
            "user" if !name.is_empty() => Ok(Self::User(name.to_owned())),
            "group" if !name.is_empty() => Ok(Self::Group(name.to_owned())),
            "uid" => Ok(Self::Uid(number()?)),
            "gid" => Ok(Self::Gid(number()?)),
            _ => Err(nobody()),
        }
    }
}

/// What a weight is called.
pub(crate) fn weight_name(weight: Weight) -> &'static str {
    match weight {
        Weight::Light => "light",
        Weight::Normal => "normal",
        Weight::Heavy => "heavy",
    }
}

/// Whether a profile of that name is one of a weight's.
pub(crate) fn is_weight(name: &str) -> bool {
    [Weight::Light, Weight::Normal, Weight::Heavy]
        .map(weight_name)
        .contains(&name)
}
