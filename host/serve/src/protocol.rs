//! What a client and the daemon say to each other: a line of JSON for each message, as `docs/protocol.md` has it.
//!
//! Arrays and components are in memory whose descriptors travel with a line's bytes: sealed, so that nobody can change it
//! any more. A line names them by their positions.

mod report;
mod text;

pub use report::ReportText;
pub use text::Text;

use hotcell::report::LogLevel;
use hotcell::{Caller, Digest, Metering, RunId, Tenant, Timestamp};
use hotcell_model::budget::Resource;
use hotcell_model::grant::Capability;
use hotcell_model::manifest::{DType, KernelRecord};
use hotcell_model::outcome::{Outcome, OutcomeKind};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of the protocol.
pub const PROTOCOL: u32 = 1;
/// The longest line, its end included, from a client.
pub const MAX_LINE_BYTES: usize = 64 << 10;
/// The longest line, its end included, from the daemon: a report in it has the guest's log.
pub const MAX_ANSWER_BYTES: usize = 64 << 20;
/// The most descriptors that travel with a line: what Linux lets one message have.
pub const MAX_DESCRIPTORS: usize = 253;

/// A line from a client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// What answers to it are told by: the client's choice, best another for each.
    pub id: u64,
    /// What is asked for.
    #[serde(rename = "do")]
    pub ask: Ask,
}

/// What a client can ask for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Ask {
    /// Have a component read and kept, so that launches can name it: answered by [`Reply::Component`].
    Upload(Upload),
    /// Run a kernel: answered by [`Reply::Ended`].
    Launch(Box<LaunchAsk>),
    /// Which launches there are: answered by [`Reply::Launches`]. The operator sees everybody's.
    List,
    /// How busy the daemon is: answered by [`Reply::Status`]. The operator sees everybody's share.
    Status,
    /// Wait for a launch: answered by [`Reply::Ended`], without its arrays, which its own client has.
    Await(Which),
    /// Cancel a launch: answered by [`Reply::Cancelling`].
    Cancel(Which),
}

/// A component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upload {
    /// The position of the descriptor that has it.
    pub memory: usize,
    /// Its size.
    pub bytes: u64,
}

/// Which launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Which {
    /// The one that has that id: any of the tenant's, and for the operator anybody's.
    Launch(RunId),
    /// The one that this connection asked for by the message of that id.
    Request(u64),
}

/// A request to run a kernel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaunchAsk {
    /// The component, uploaded before by somebody of the same tenant.
    pub component: Digest,
    /// The entry, where the component has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
    /// The arrays that go in, by parameter.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, ArrayInMemory>,
    /// The scalars, by parameter: numbers, or texts where JSON has no such number.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub scalars: BTreeMap<String, Text>,
    /// The extents of dimensions that no input fixes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dims: BTreeMap<String, Text>,
    /// Limits by their names in reports, each in its unit: `"5s"`, `"10G"`, `"64MiB"`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, Text>,
    /// The metering mode. Default `strict`, or what the policy requires where that is more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metering: Option<Metering>,
    /// The capabilities that are wanted. Default `log` and `control`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wants: Option<Vec<Capability>>,
    /// The seed of the capability `random`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<Text>,
    /// How many chunks may run at once. Default as many as the daemon has processors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
    /// Whether a kernel that can be cut into chunks is. Default yes.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub split: bool,
    /// Whether the report has digests of all arrays. Default yes.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub digests: bool,
    /// Whether the fuel of every GPU dispatch is counted for the report. Default no.
    #[serde(default, skip_serializing_if = "is_no")]
    pub gpu_profile: bool,
    /// Whether [`Reply::Launched`], [`Reply::Log`] and [`Reply::Progress`] are told on the way. Default no.
    #[serde(default, skip_serializing_if = "is_no")]
    pub events: bool,
    /// Whether the end has the report. Default yes.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub report: bool,
}

/// An array in memory whose descriptor travels with the line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArrayInMemory {
    /// The element type.
    pub dtype: DType,
    /// The extents, outermost dimension first. Elements are in C order, little-endian.
    pub shape: Vec<u64>,
    /// The position of the descriptor.
    pub memory: usize,
    /// Where the array begins in that memory, in bytes.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub offset: u64,
    /// Whether it is a picture: a gray one of shape (h,w) is taken as (h,w,1) where a kernel wants channels. Default no.
    #[serde(default, skip_serializing_if = "is_no")]
    pub picture: bool,
}

/// A line from the daemon.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The message that it answers; absent in what nobody asked for, the greeting and an error that ends the connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// What it says.
    pub answer: Reply,
}

/// What the daemon can say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Reply {
    /// The first line of every connection.
    Greeting(Greeting),
    /// A component was read, and can be launched.
    Component(ComponentKept),
    /// A launch has begun.
    Launched {
        /// Its id.
        launch: RunId,
    },
    /// The guest logged a line.
    Log {
        /// How much it matters.
        level: LogLevel,
        /// The text, with control characters escaped.
        message: String,
    },
    /// The guest says how far it is, in units of its own.
    Progress {
        /// What is done.
        done: Text,
        /// All there is to do.
        total: Text,
    },
    /// A launch has ended.
    Ended(Box<LaunchEnd>),
    /// The launches that there are.
    Launches(Vec<LaunchState>),
    /// A launch was asked to stop; its own client hears when it has.
    Cancelling {
        /// Its id.
        launch: RunId,
    },
    /// How busy the daemon is.
    Status(Box<Status>),
    /// What was asked for is not done.
    Error {
        /// What kind of thing is in the way, as of launches.
        kind: OutcomeKind,
        /// What is in the way, and what to do.
        message: String,
    },
}

/// Who the daemon is, and whom it takes the client for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Greeting {
    /// The versions of the protocol that it speaks, of which it speaks the first: [`PROTOCOL`].
    pub protocols: Vec<u32>,
    /// The program, with its version.
    pub host: String,
    /// Whom the operating system says that the client is.
    pub caller: Caller,
    /// Who is charged; absent where the policy serves no such user.
    pub tenant: Option<Tenant>,
    /// Whether it is the operator, who sees and cancels everybody's launches.
    pub operator: bool,
}

/// A component that can be launched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComponentKept {
    /// What launches name it by: BLAKE3 of its bytes.
    pub digest: Digest,
    /// Its name in its manifest.
    pub name: String,
    /// Its version there; empty if it says none.
    #[serde(default)]
    pub version: String,
    /// Its entries, with their signatures in gufunc notation.
    pub entries: BTreeMap<String, String>,
    /// What its manifest says of each entry.
    pub kernels: Vec<KernelRecord>,
}

/// How a launch ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaunchEnd {
    /// The launch.
    pub launch: RunId,
    /// How it ended.
    pub outcome: Outcome,
    /// Its report, if it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<ReportText>,
    /// The arrays that came out, by parameter.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub results: BTreeMap<String, ArrayInMemory>,
}

/// A launch that has not ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaunchState {
    /// Its id.
    pub launch: RunId,
    /// Who is charged.
    pub tenant: Tenant,
    /// Who asked for it.
    pub caller: Caller,
    /// The component.
    pub component: Digest,
    /// The entry that was named; empty if none was.
    pub entry: String,
    /// When it was asked for.
    pub started: Timestamp,
    /// How far it is.
    pub stage: Stage,
}

/// How far a launch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// It is checked, or waits for its tenant's other launches.
    Asked,
    /// It was permitted: it is compiled, waits for a runner, or runs.
    Permitted,
    /// It was asked to stop.
    Stopping,
}

/// How busy the daemon is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Status {
    /// Since when it runs.
    pub since: Timestamp,
    /// The connections that it has.
    pub connections: usize,
    /// Its workers.
    pub pools: Vec<PoolStatus>,
    /// What each tenant takes that has launches or budgets.
    pub tenants: Vec<TenantStatus>,
    /// The launches that have not ended.
    pub launches: Vec<LaunchState>,
}

/// The workers of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolStatus {
    /// `compilers`, `runners` or `gpu-workers`.
    pub name: String,
    /// The most at once.
    pub most: usize,
    /// Those that work.
    pub busy: usize,
    /// Those that are kept for launches like earlier ones.
    pub idle: usize,
    /// The launches that wait for one.
    pub waiting: usize,
}

/// What a tenant takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantStatus {
    /// The tenant.
    pub tenant: Tenant,
    /// Its launches that have not ended.
    pub launches: usize,
    /// Its budgets.
    pub budgets: Vec<BudgetStatus>,
}

/// How full a bucket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BudgetStatus {
    /// What it counts.
    pub resource: Resource,
    /// What is left, in the resource's unit; less than nothing is owed.
    pub left: i64,
    /// The most that it holds.
    pub size: u64,
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_yes(flag: &bool) -> bool {
    *flag
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_no(flag: &bool) -> bool {
    !*flag
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(offset: &u64) -> bool {
    *offset == 0
}

impl LaunchAsk {
    /// A launch of that component, with everything else as where nothing is said.
    pub fn new(component: Digest) -> Self {
        Self {
            component,
            entry: None,
            inputs: BTreeMap::new(),
            scalars: BTreeMap::new(),
            dims: BTreeMap::new(),
            limits: BTreeMap::new(),
            metering: None,
            wants: None,
            seed: None,
            threads: None,
            split: true,
            digests: true,
            gpu_profile: false,
            events: false,
            report: true,
        }
    }
}
