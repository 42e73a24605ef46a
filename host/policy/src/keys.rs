//! Every key that a policy file can have: what the reader knows, what the schema lists, and what the reference explains.
//!
//! A key is added here and read in `read.rs`; tests hold both against each other, and ask for a test of what the key
//! does.

/// One key of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What its value is.
    pub kind: Kind,
    /// What it does, in a sentence or two.
    pub about: &'static str,
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The number of the file's form: 1.
    Schema,
    /// A list of capabilities.
    Grants,
    /// A metering mode.
    Metering,
    /// A tier.
    Tier,
    /// An isolation.
    Isolation,
    /// A table of limits, each a value or a table of `value` and `mode`.
    Limits,
    /// A table of limits' ceilings.
    Ceilings,
    /// A table of profiles by name.
    Profiles,
    /// A list of bindings of kernels.
    Kernels,
    /// A table of tenants by name, `*` for all others.
    Tenants,
    /// A component's digest.
    Digest,
    /// A pattern of names, in which `*` stands for any characters.
    Pattern,
    /// A kernel's weight.
    Weight,
    /// A profile's name.
    Profile,
    /// Words for whoever is refused.
    Words,
    /// A list of profiles' names.
    ProfileList,
    /// A list of users and groups.
    Subjects,
    /// A table of budgets by what they count.
    Budgets,
    /// A number of launches.
    Number,
    /// Whether something is so.
    Truth,
    /// A table of directories by the guest's name, each a path or a table of `path` and `write`.
    Directories,
    /// What is recorded.
    Audit,
    /// Who is told of alerts.
    Alerts,
    /// Where figures are to be had.
    Metrics,
    /// Whether there is an audit log.
    AuditMode,
    /// When records reach the disk.
    AuditSync,
    /// An amount of bytes.
    Bytes,
    /// A duration.
    Duration,
    /// A number of days.
    Days,
    /// An absolute path.
    Path,
    /// A program's absolute path and its arguments.
    Command,
    /// An address on the web.
    Web,
    /// An address of a witness.
    Witness,
    /// An address of this machine.
    Local,
}

/// One kind of table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table {
    /// How it is headed in a file; empty for what stands before any heading.
    pub heading: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// Its keys.
    pub keys: &'static [Key],
}

const fn key(name: &'static str, kind: Kind, about: &'static str) -> Key {
    Key { name, kind, about }
}

const LIMITS: Key = key(
    "limits",
    Kind::Limits,
    "Limits in place of what the kernel's manifest asks for. A request may ask for other values, within the ceilings.",
);
const CEILINGS: Key = key(
    "ceilings",
    Kind::Ceilings,
    "The most that a limit can be set to here. Of all ceilings that concern a launch the lowest holds.",
);
const METERING: Key = key(
    "metering",
    Kind::Metering,
    "The least metering here, and what a request has that asks for none. The strongest of all that concern a launch holds.",
);

const GUARD: Key = key(
    "guard",
    Kind::Truth,
    "Whether Python functions and programs may run in guarded processes, which are weaker than cells. Default `true`.",
);

/// What stands before any heading.
pub const FILE: Table = Table {
    heading: "",
    about: "For everybody.",
    keys: &[
        key(
            "schema",
            Kind::Schema,
            "The form of the file: 1. It has to be there.",
        ),
        key(
            "isolation",
            Kind::Isolation,
            "What has to keep launches apart from the host: `confined`, or `in-process` where the WebAssembly sandbox alone is \
             enough. Default `confined`. It is enforced always, and cannot be only observed.",
        ),
        key(
            "tier",
            Kind::Tier,
            "The least that confined workers must have around them. Default `full`. It is enforced always, and cannot be only \
             observed.",
        ),
        key(
            "metering",
            Kind::Metering,
            "The least metering, and what a request has that asks for none. Default `fast` as the least, `strict` for requests \
             that ask for none.",
        ),
        key(
            "grants",
            Kind::Grants,
            "The capabilities that everybody is granted whose tenant says nothing else. Default `log` and `control`.",
        ),
        key(
            "directories",
            Kind::Directories,
            "The directories that kernels are given which are granted `files`, by the names that they know them by, for everybody \
             whose tenant says nothing else. Default none.",
        ),
        key(
            "limits",
            Kind::Limits,
            "Limits in place of the built-in defaults. What a kernel's manifest asks for goes before them.",
        ),
        key(
            "ceilings",
            Kind::Ceilings,
            "The most that a limit can be set to by anybody: manifest, profile, tenant or request.",
        ),
        GUARD,
        key("profiles", Kind::Profiles, "Profiles by name."),
        key(
            "kernels",
            Kind::Kernels,
            "Which kernels have which profile.",
        ),
        key(
            "tenants",
            Kind::Tenants,
            "Tenants by name; `*` is every other. With no tenant named at all, everybody is served under what stands above; \
             with any, who is not named is refused.",
        ),
        key("audit", Kind::Audit, "What is recorded."),
        key("alerts", Kind::Alerts, "Who is told of alerts."),
        key("metrics", Kind::Metrics, "Where figures are to be had."),
    ],
};

/// A profile.
pub const PROFILE: Table = Table {
    heading: "[profiles.NAME]",
    about: "What kernels that are alike may have. A kernel has the profile that `[[kernels]]` binds it to, else the one of the \
            name of its weight, `light`, `normal` or `heavy`, where there is such a one. Its grants, \
            ceilings and metering take away from what the tenant has; its limits are what such kernels have, within the ceilings.",
    keys: &[
        key(
            "grants",
            Kind::Grants,
            "The only capabilities that these kernels can have of those that their tenant is granted. Default all of them.",
        ),
        METERING,
        LIMITS,
        CEILINGS,
    ],
};

/// A binding of kernels.
pub const KERNEL: Table = Table {
    heading: "[[kernels]]",
    about: "Binds kernels to a profile, or refuses them. All that is said of a kernel has to be so; the first binding that fits \
            a kernel holds. Names and weights are what a kernel's author says: bind by digest what is to have more than others.",
    keys: &[
        key(
            "digest",
            Kind::Digest,
            "The component's BLAKE3 digest, as `hotcell inspect` prints it.",
        ),
        key(
            "name",
            Kind::Pattern,
            "The kernel's name, or a pattern: `gemm*`.",
        ),
        key(
            "weight",
            Kind::Weight,
            "The weight in the kernel's manifest.",
        ),
        key(
            "profile",
            Kind::Profile,
            "The profile that these kernels have.",
        ),
        key(
            "deny",
            Kind::Words,
            "Refuses these kernels; the words are told to whoever asks.",
        ),
    ],
};

/// A tenant.
pub const TENANT: Table = Table {
    heading: "[tenants.NAME]",
    about: "Who is charged. `[tenants.\"*\"]` is every tenant that is not named.",
    keys: &[
        key(
            "subjects",
            Kind::Subjects,
            "Who belongs to the tenant, for a daemon that knows who is asking: `user:alice`, `uid:1000`, `group:students`, \
             `gid:100`. The first tenant in the order of their names that somebody belongs to is theirs; whom none names is served as the \
             tenant `uid-NUMBER`, where there is `[tenants.\"*\"]`.",
        ),
        key(
            "grants",
            Kind::Grants,
            "The capabilities that the tenant is granted, in place of those for everybody.",
        ),
        key(
            "directories",
            Kind::Directories,
            "The directories that kernels of the tenant are given which are granted `files`, in place of those for everybody.",
        ),
        key("guard", Kind::Truth, "As for everybody, for the tenant."),
        key(
            "profiles",
            Kind::ProfileList,
            "The only profiles whose kernels the tenant may run. Default all kernels.",
        ),
        METERING,
        key(
            "limits",
            Kind::Limits,
            "Limits in place of the profile's and the manifest's. A request may ask for other values, within the ceilings.",
        ),
        CEILINGS,
        key(
            "budgets",
            Kind::Budgets,
            "What all launches of the tenant may take together over time, in all processes that share a state directory. `*`: each \
             other tenant has one of its own.",
        ),
        key(
            "running",
            Kind::Number,
            "The most launches of the tenant that run at once, in all those processes.",
        ),
        key(
            "waiting",
            Kind::Number,
            "The most that wait for one of those; the others are refused. Default none.",
        ),
    ],
};

/// A budget.
pub const BUDGET: Table = Table {
    heading: "a budget",
    about: "A bucket: it begins full, launches take out of it what they use, and it fills again evenly. Whoever comes when it is \
            empty is refused, and told when to try again. What a launch takes more than there is, is owed.",
    keys: &[
        key(
            "size",
            Kind::Words,
            "The most that it holds: what a burst may take.",
        ),
        key("refill", Kind::Words, "How much comes back in each `per`."),
        key("per", Kind::Words, "A time, from 1 ms to a year."),
    ],
};

/// The keys of a directory that is a table.
pub const DIRECTORY_KEYS: [Key; 2] = [
    key(
        "path",
        Kind::Words,
        "Where it is, from the root on. It is opened for each launch, with the rights of whoever runs hotcell.",
    ),
    key(
        "write",
        Kind::Truth,
        "Whether kernels may write in it: make, change, rename and remove. Default `false`.",
    ),
];

/// What is recorded.
pub const AUDIT: Table = Table {
    heading: "[audit]",
    about: "The log of everything that is asked for, in the state directory: [audit.md](audit.md).",
    keys: &[
        key(
            "mode",
            Kind::AuditMode,
            "Default `on`. Where the log cannot be written, `required` lets nothing run, and `on` gives an alert.",
        ),
        key(
            "sync",
            Kind::AuditSync,
            "`batch`, the default: records reach the disk at most a tenth of a second after they were written. `record`: each does \
             before anything goes on.",
        ),
        key(
            "max_bytes",
            Kind::Bytes,
            "The most that is kept; the oldest records go first. Default 1 GiB.",
        ),
        key(
            "keep_days",
            Kind::Days,
            "How many days records are kept at most. Default as long as there is room.",
        ),
        key(
            "anchor_file",
            Kind::Path,
            "A file that each signed checkpoint of the log is added to: where whoever can change the log cannot write.",
        ),
        key(
            "anchor_command",
            Kind::Command,
            "A program that gets each signed checkpoint on its standard input.",
        ),
        key(
            "witness",
            Kind::Witness,
            "A witness of transparency logs that signed checkpoints are submitted to.",
        ),
        key(
            "witness_key",
            Kind::Words,
            "The witness's verifier key, `NAME+HASH+KEY`, as its operator gives it.",
        ),
    ],
};

/// Who is told of alerts.
pub const ALERTS: Table = Table {
    heading: "[alerts]",
    about: "Who is told when something is odd. Reports and the audit log have all alerts in any case.",
    keys: &[
        key(
            "log",
            Kind::Truth,
            "Whether a daemon writes them to its standard error. Default `true`.",
        ),
        key(
            "command",
            Kind::Command,
            "A program that gets each alert on its standard input, as JSON.",
        ),
        key(
            "webhook",
            Kind::Web,
            "An address that each alert is posted to, as JSON.",
        ),
        key(
            "webhook_key",
            Kind::Path,
            "A file with the key that posts are signed with.",
        ),
        key(
            "repeat",
            Kind::Duration,
            "How long an alert that was told already is only counted. Default 10 minutes.",
        ),
    ],
};

/// Where figures are to be had.
pub const METRICS: Table = Table {
    heading: "[metrics]",
    about: "Figures for monitoring: [metrics.md](metrics.md).",
    keys: &[
        key(
            "listen",
            Kind::Local,
            "The address, of this machine alone, at which a daemon shows its metrics to Prometheus. Default none.",
        ),
        key(
            "page",
            Kind::Truth,
            "Whether it shows a page for people there, too. Default `false`.",
        ),
        key(
            "textfile",
            Kind::Path,
            "A file that commands add their metrics to, for a collector that reads files. Default none.",
        ),
        key(
            "otlp",
            Kind::Web,
            "A collector that traces and metrics are sent to, in OpenTelemetry's protocol over HTTP. Default none.",
        ),
    ],
};

/// The tables, in the order in which the reference has them.
pub const TABLES: [Table; 7] = [FILE, PROFILE, KERNEL, TENANT, AUDIT, ALERTS, METRICS];

/// The keys of a limit that is a table.
pub const LIMIT_KEYS: [Key; 2] = [
    key("value", Kind::Words, "The limit, in its unit."),
    key(
        "mode",
        Kind::Words,
        "`enforce`, the default, or `observe`: nothing is refused or stopped by this value, and the report of each launch that \
         would have been says so.",
    ),
];
