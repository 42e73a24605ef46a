//! Every key of a policy does something, and says what is wrong with a wrong value: a key without a case here fails.

use hotcell::limit::{Limit, LimitSource, Limits};
use hotcell::manifest::{Kernel, KernelRecord, Manifest, Record};
use hotcell::{Metering, Policy, Subject, Terms, Tier, resolve_limits};
use hotcell_model::budget::{Rate, Resource};
use hotcell_model::digest::Digest;
use hotcell_model::grant::{Capability, Grants};
use hotcell_policy::keys::{
    ALERTS, AUDIT, BUDGET, DIRECTORY_KEYS, KERNEL, LIMIT_KEYS, METRICS, PROFILE, TABLES, TENANT,
};
use hotcell_policy::record::{AlertRules, AuditMode, AuditRules, AuditSync, MetricsRules};
use hotcell_policy::{FilePolicy, schema};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A kernel of that name and weight.
fn kernel(name: &str, weight: &str) -> Kernel {
    let json = format!(
        r#"{{"name":"{name}","signature":"->(n)","weight":"{weight}",
            "parameters":[{{"name":"out","role":"output","dtype":"f32"}}],"limits":{{"fuel":"5000"}}}}"#
    );
    let record: KernelRecord = serde_json::from_str(&json).unwrap();
    let manifest = Manifest::from_records(vec![Record::from(record)]).unwrap();
    manifest.kernels()[0].clone()
}

fn read(text: &str) -> FilePolicy {
    let text = format!("schema = 1\n{text}");
    FilePolicy::read("p.toml", &text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

const DIGEST: [u8; 32] = [7; 32];

fn terms(text: &str, tenant: &str, kernel: Option<&Kernel>) -> Terms {
    read(text).terms(&Subject {
        tenant: &tenant.parse().unwrap(),
        component: Some(Digest::from_bytes(DIGEST)),
        kernel,
    })
}

fn limits(text: &str, tenant: &str) -> Limits {
    let kernel = kernel("k", "normal");
    let (limits, wrong) = resolve_limits(
        Some(&kernel),
        &BTreeMap::new(),
        &terms(text, tenant, Some(&kernel)),
    );
    assert_eq!(wrong, [], "{text}");
    limits
}

fn refused(text: &str, tenant: &str, kernel: &Kernel) -> Option<String> {
    terms(text, tenant, Some(kernel)).refused
}

/// What proves that a key is in force, and a value of it that is wrong with words of what is said of it.
struct Case {
    /// The table's heading, and the key.
    key: (&'static str, &'static str),
    in_force: fn(),
    wrong: &'static str,
    says: &'static str,
}

fn cases() -> Vec<Case> {
    let case = |heading, name, in_force, wrong, says| Case {
        key: (heading, name),
        in_force,
        wrong,
        says,
    };
    vec![
        case(
            "",
            "schema",
            schema_is_held,
            "schema = 2",
            "p.toml:1:10: `schema`: this host reads policies of schema 1",
        ),
        case(
            "",
            "isolation",
            isolation_is_required,
            "schema = 1\nisolation = \"none\"",
            "2:13: `isolation`: `none` is none of: in-process, confined",
        ),
        case(
            "",
            "tier",
            tier_is_required,
            "schema = 1\ntier = { value = \"full\", mode = \"observe\" }",
            "`tier`: expected a word in quotes; it is enforced always, and cannot be only observed",
        ),
        case(
            "",
            "metering",
            metering_is_the_strongest,
            "schema = 1\nmetering = \"strong\"",
            "`strong` is none of: fast, strict, deterministic",
        ),
        case(
            "",
            "grants",
            grants_are_the_tenants_and_the_profiles,
            "schema = 1\ngrants = [\"files!\"]",
            "2:11: `grants`: `files!` is no capability; there are: log, control",
        ),
        case(
            "",
            "limits",
            limits_go_before_each_other,
            "schema = 1\n[limits]\ntimeout = \"1s\"",
            "3:1: `limits.timeout`: no such limit; did you mean `timeout_ns`?",
        ),
        case(
            "",
            "ceilings",
            ceilings_are_the_lowest,
            "schema = 1\n[ceilings]\nfuel = \"200T\"",
            "3:8: `ceilings.fuel`: 200T is above the built-in ceiling of 100T",
        ),
        case(
            "",
            "guard",
            guarded_processes_are_the_tenants,
            "schema = 1\nguard = \"no\"",
            "`guard`: expected",
        ),
        case(
            TENANT.heading,
            "guard",
            guarded_processes_are_the_tenants,
            "schema = 1\n[tenants.a]\nguard = 1",
            "`tenants.a.guard`: expected",
        ),
        case(
            "",
            "profiles",
            profiles_are_chosen,
            "schema = 1\nprofiles = 3",
            "`profiles`: expected a table, found integer",
        ),
        case(
            "",
            "kernels",
            profiles_are_chosen,
            "schema = 1\n[kernels]\nname = \"x\"",
            "`kernels`: expected a list of tables, each headed `[[kernels]]`",
        ),
        case(
            "",
            "tenants",
            who_is_not_named_is_refused,
            "schema = 1\n[tenants.\"a b\"]",
            "`tenants.\"a b\"`: a tenant's name is 1 to 64",
        ),
        case(
            PROFILE.heading,
            "grants",
            grants_are_the_tenants_and_the_profiles,
            "schema = 1\n[profiles.a]\ngrants = [\"gpu-text\"]",
            "`profiles.a.grants`: `gpu-text` is of use with `gpu` alone",
        ),
        case(
            PROFILE.heading,
            "metering",
            metering_is_the_strongest,
            "schema = 1\n[profiles.a]\nmetering = 1",
            "`profiles.a.metering`: expected text in quotes, found integer",
        ),
        case(
            PROFILE.heading,
            "limits",
            limits_go_before_each_other,
            "schema = 1\n[profiles.a.limits]\nmemory_bytes = 5",
            "3:16: `profiles.a.limits.memory_bytes`: `5` has no unit; write for example \"64MiB\"",
        ),
        case(
            PROFILE.heading,
            "ceilings",
            ceilings_are_the_lowest,
            "schema = 1\n[profiles.a.ceilings]\nfuel = { value = 5, mode = \"observe\" }",
            "`profiles.a.ceilings.fuel`: expected a value; ceilings are enforced always",
        ),
        case(
            KERNEL.heading,
            "digest",
            profiles_are_chosen,
            "schema = 1\n[[kernels]]\ndigest = \"7\"\ndeny = \"no\"",
            "`kernels[0].digest`",
        ),
        case(
            KERNEL.heading,
            "name",
            profiles_are_chosen,
            "schema = 1\n[[kernels]]\nname = 7\ndeny = \"no\"",
            "`kernels[0].name`: expected text in quotes",
        ),
        case(
            KERNEL.heading,
            "weight",
            profiles_are_chosen,
            "schema = 1\n[[kernels]]\nweight = \"huge\"\ndeny = \"no\"",
            "`huge` is none of: light, normal, heavy",
        ),
        case(
            KERNEL.heading,
            "profile",
            profiles_are_chosen,
            "schema = 1\n[profiles.a]\n[[kernels]]\nname = \"*\"\nprofile = \"b\"",
            "5:11: `kernels[0].profile`: no profile `b`; this policy has: a",
        ),
        case(
            KERNEL.heading,
            "deny",
            kernels_are_refused,
            "schema = 1\n[[kernels]]\nname = \"*\"\n",
            "`kernels[0]`: binds to nothing",
        ),
        case(
            TENANT.heading,
            "subjects",
            subjects_are_read,
            "schema = 1\n[tenants.a]\nsubjects = [\"alice\"]",
            "`alice` names nobody; write `user:NAME`",
        ),
        case(
            TENANT.heading,
            "grants",
            grants_are_the_tenants_and_the_profiles,
            "schema = 1\n[tenants.a]\ngrants = [\"log\", \"log\"]",
            "3:18: `tenants.a.grants`: `log` stands here twice",
        ),
        case(
            TENANT.heading,
            "profiles",
            profiles_of_a_tenant_are_all_it_runs,
            "schema = 1\n[tenants.a]\nprofiles = [\"lite\"]",
            "`tenants.a.profiles`: no profile `lite`; this policy has none",
        ),
        case(
            TENANT.heading,
            "metering",
            metering_is_the_strongest,
            "schema = 1\n[tenants.a]\nmetering = \"\"",
            "`tenants.a.metering`: `` is none of",
        ),
        case(
            TENANT.heading,
            "limits",
            limits_go_before_each_other,
            "schema = 1\n[ceilings]\nfuel = 10\n[tenants.a.limits]\nfuel = 11",
            "5:8: `tenants.a.limits.fuel`: 11 is above its ceiling of 10 in this policy",
        ),
        case(
            TENANT.heading,
            "ceilings",
            ceilings_are_the_lowest,
            "schema = 1\n[tenants.a.ceilings]\nfuel = \"10Q\"",
            "`tenants.a.ceilings.fuel`",
        ),
        case(
            TENANT.heading,
            "budgets",
            allowances_are_the_tenants,
            "schema = 1\n[tenants.a.budgets]\nwatts = 5",
            "3:1: `tenants.a.budgets.watts`: `watts` is no resource of a budget (launches, fuel",
        ),
        case(
            TENANT.heading,
            "running",
            allowances_are_the_tenants,
            "schema = 1\n[tenants.a]\nrunning = 0",
            "`tenants.a.running`: expected a number of launches, at least 1",
        ),
        case(
            TENANT.heading,
            "waiting",
            allowances_are_the_tenants,
            "schema = 1\n[tenants.a]\nwaiting = \"many\"",
            "`tenants.a.waiting`: expected a number of launches, at least 0",
        ),
        case(
            BUDGET.heading,
            "size",
            allowances_are_the_tenants,
            "schema = 1\n[tenants.a.budgets]\nlaunches = { size = 0, refill = 1, per = \"1s\" }",
            "`tenants.a.budgets.launches`: a budget's size of 0 refuses every launch",
        ),
        case(
            BUDGET.heading,
            "refill",
            allowances_are_the_tenants,
            "schema = 1\n[tenants.a.budgets]\ncpu_ns = { size = \"1s\", refill = 5, per = \"1s\" }",
            "`tenants.a.budgets.cpu_ns.refill`: `5` has no unit",
        ),
        case(
            BUDGET.heading,
            "per",
            allowances_are_the_tenants,
            "schema = 1\n[tenants.a.budgets]\nfuel = { size = 5, refill = 5 }",
            "`tenants.a.budgets.fuel`: a budget has `size`, `refill` and `per`",
        ),
        case(
            "",
            "directories",
            directories_are_the_tenants,
            "schema = 1\n[directories]\n\"data\" = \"/srv\"",
            "`directories.data`: `data` is no name for a directory of a kernel's",
        ),
        case(
            TENANT.heading,
            "directories",
            directories_are_the_tenants,
            "schema = 1\n[tenants.a.directories]\n\"/data\" = \"srv\"",
            "srv is no absolute path",
        ),
        case(
            "a directory",
            "path",
            directories_are_the_tenants,
            "schema = 1\n[directories]\n\"/data\" = { write = true }",
            "a table without `path`",
        ),
        case(
            "a directory",
            "write",
            directories_are_the_tenants,
            "schema = 1\n[directories]\n\"/data\" = { path = \"/srv\", write = \"yes\" }",
            "expected `true` or `false`, found string",
        ),
        case(
            "",
            "audit",
            records_are_as_the_policy_says,
            "schema = 1\naudit = \"required\"",
            "2:9: `audit`: expected a table, found string",
        ),
        case(
            "",
            "alerts",
            alerts_go_where_the_policy_says,
            "schema = 1\n[alerts]\nemail = \"a@b\"",
            "3:1: `alerts.email`: no such key; known here: log, command",
        ),
        case(
            "",
            "metrics",
            figures_are_where_the_policy_says,
            "schema = 1\nmetrics = true",
            "`metrics`: expected a table, found boolean",
        ),
        case(
            AUDIT.heading,
            "mode",
            records_are_as_the_policy_says,
            "schema = 1\n[audit]\nmode = \"must\"",
            "`audit.mode`: `must` is none of: off, on, required",
        ),
        case(
            AUDIT.heading,
            "sync",
            records_are_as_the_policy_says,
            "schema = 1\n[audit]\nsync = \"never\"",
            "`audit.sync`: `never` is none of: batch, record",
        ),
        case(
            AUDIT.heading,
            "max_bytes",
            records_are_as_the_policy_says,
            "schema = 1\n[audit]\nmax_bytes = \"1KiB\"",
            "`audit.max_bytes`: an audit log keeps at least 1MiB",
        ),
        case(
            AUDIT.heading,
            "keep_days",
            records_are_as_the_policy_says,
            "schema = 1\n[audit]\nkeep_days = 0",
            "`audit.keep_days`: expected a number of days, at least 1",
        ),
        case(
            AUDIT.heading,
            "anchor_file",
            records_are_as_the_policy_says,
            "schema = 1\n[audit]\nanchor_file = \"anchors\"",
            "`audit.anchor_file`: anchors is no absolute path",
        ),
        case(
            AUDIT.heading,
            "anchor_command",
            records_are_as_the_policy_says,
            "schema = 1\n[audit]\nanchor_command = [\"logger\", \"-t\"]",
            "`audit.anchor_command`: expected a program's absolute path, and its arguments",
        ),
        case(
            AUDIT.heading,
            "witness",
            records_are_as_the_policy_says,
            "schema = 1\n[audit]\nwitness = \"ftp://a\"",
            "`audit.witness`: `ftp://a` is no address",
        ),
        case(
            AUDIT.heading,
            "witness_key",
            records_are_as_the_policy_says,
            "schema = 1\n[audit]\nwitness = \"http://[::1]:1/\"\nwitness_key = \"w\"",
            "`audit.witness_key`: `w` is no verifier key",
        ),
        case(
            ALERTS.heading,
            "log",
            alerts_go_where_the_policy_says,
            "schema = 1\n[alerts]\nlog = \"yes\"",
            "`alerts.log`: expected `true` or `false`, found string",
        ),
        case(
            ALERTS.heading,
            "command",
            alerts_go_where_the_policy_says,
            "schema = 1\n[alerts]\ncommand = []",
            "`alerts.command`: expected a program's absolute path, and its arguments",
        ),
        case(
            ALERTS.heading,
            "webhook",
            alerts_go_where_the_policy_says,
            "schema = 1\n[alerts]\nwebhook = \"https://\"",
            "`alerts.webhook`: `https://` is no address",
        ),
        case(
            ALERTS.heading,
            "webhook_key",
            alerts_go_where_the_policy_says,
            "schema = 1\n[alerts]\nwebhook_key = \"/etc/hotcell/key\"",
            "`alerts`: `webhook_key` signs what is posted to a `webhook`, and there is none",
        ),
        case(
            ALERTS.heading,
            "repeat",
            alerts_go_where_the_policy_says,
            "schema = 1\n[alerts]\nrepeat = 5",
            "`alerts.repeat`: `5` has no unit",
        ),
        case(
            METRICS.heading,
            "listen",
            figures_are_where_the_policy_says,
            "schema = 1\n[metrics]\nlisten = \"0.0.0.0:9464\"",
            "`metrics.listen`: `0.0.0.0:9464` is not of this machine alone",
        ),
        case(
            METRICS.heading,
            "page",
            figures_are_where_the_policy_says,
            "schema = 1\n[metrics]\npage = true",
            "`metrics`: a `page` is shown at the address of `listen`, and there is none",
        ),
        case(
            METRICS.heading,
            "textfile",
            figures_are_where_the_policy_says,
            "schema = 1\n[metrics]\ntextfile = 5",
            "`metrics.textfile`: expected text in quotes",
        ),
        case(
            METRICS.heading,
            "otlp",
            figures_are_where_the_policy_says,
            "schema = 1\n[metrics]\notlp = \"localhost:4318\"",
            "`metrics.otlp`: `localhost:4318` is no address",
        ),
        case(
            "a limit",
            "value",
            limits_go_before_each_other,
            "schema = 1\n[limits]\nfuel = { mode = \"observe\" }",
            "`limits.fuel`: a table without `value`",
        ),
        case(
            "a limit",
            "mode",
            observed_limits_stop_nothing,
            "schema = 1\n[limits]\nstack_bytes = { value = \"1KiB\", mode = \"observe\" }",
            "`stack_bytes` cannot be observed",
        ),
    ]
}

#[test]
fn every_key_is_in_force_and_says_what_is_wrong_with_it() {
    let mut left: BTreeSet<(&str, &str)> = TABLES
        .iter()
        .flat_map(|table| table.keys.iter().map(|key| (table.heading, key.name)))
        .chain(BUDGET.keys.iter().map(|key| (BUDGET.heading, key.name)))
        .chain(LIMIT_KEYS.iter().map(|key| ("a limit", key.name)))
        .chain(DIRECTORY_KEYS.iter().map(|key| ("a directory", key.name)))
        .collect();
    for case in cases() {
        (case.in_force)();
        let error = FilePolicy::read("p.toml", case.wrong).expect_err(case.wrong);
        let words = error.to_string();
        assert!(words.contains(case.says), "{:?}: {words}", case.key);
        assert!(
            left.remove(&case.key),
            "{:?} is no key, or twice here",
            case.key
        );
    }
    assert!(left.is_empty(), "keys without a case: {left:?}");
}

fn directories_are_the_tenants() {
    let text = "[directories]\n\"/data\" = \"/srv/data\"\n\"/all\" = { path = \"/srv/all\" }\n[tenants.a]\n\
                [tenants.b.directories]\n\"/out\" = { path = \"/srv/out\", write = true }\n[tenants.c]\ndirectories = {}";
    let given = |tenant| {
        let directories = terms(text, tenant, None).directories;
        let mut words: Vec<String> = directories.iter().map(ToString::to_string).collect();
        words.sort();
        words
    };
    let all = [
        "/all = /srv/all (read-only)",
        "/data = /srv/data (read-only)",
    ];
    assert_eq!(given("a"), all);
    assert_eq!(given("b"), ["/out = /srv/out (read and write)"]);
    assert!(given("c").is_empty());
    assert!(terms("", "a", None).directories.is_empty());
    let explained = read(text).explain(&"b".parse().unwrap(), None, &BTreeMap::new(), None);
    assert_eq!(explained.directories, given("b"));
    let alone = FilePolicy::read("p.toml", "schema = 1\ngrants = [\"files\"]").unwrap_err();
    let words = "`files` is of use with `wasi` alone";
    assert!(alone.to_string().contains(words), "{alone}");
}

fn records_are_as_the_policy_says() {
    assert_eq!(read("").audit(), &AuditRules::default());
    assert_eq!(read("").audit().mode, AuditMode::On);
    let text = "[audit]\nmode = \"required\"\nsync = \"record\"\nmax_bytes = \"2MiB\"\nkeep_days = 90\n\
                anchor_file = \"/mnt/anchors\"\nanchor_command = [\"/usr/bin/logger\", \"-t\", \"hotcell\"]\n\
                witness = \"http://[::1]:7380/\"\nwitness_key = \"w+01234567+AQ==\"";
    let expected = AuditRules {
        mode: AuditMode::Required,
        sync: AuditSync::Record,
        max_bytes: 2 << 20,
        keep_days: Some(90),
        anchor_file: Some("/mnt/anchors".into()),
        anchor_command: ["/usr/bin/logger", "-t", "hotcell"]
            .map(str::to_owned)
            .into(),
        witness: Some((
            "http://[::1]:7380/".to_owned(),
            "w+01234567+AQ==".to_owned(),
        )),
    };
    assert_eq!(read(text).audit(), &expected);
}

fn alerts_go_where_the_policy_says() {
    assert_eq!(read("").alerts(), &AlertRules::default());
    let text = "[alerts]\nlog = false\ncommand = [\"/bin/cat\"]\nwebhook = \"https://example.org/alerts\"\n\
                webhook_key = \"/etc/hotcell/webhook.key\"\nrepeat = \"5m\"";
    let expected = AlertRules {
        log: false,
        command: vec!["/bin/cat".to_owned()],
        webhook: Some("https://example.org/alerts".to_owned()),
        webhook_key: Some("/etc/hotcell/webhook.key".into()),
        repeat: Duration::from_secs(300),
    };
    assert_eq!(read(text).alerts(), &expected);
}

fn figures_are_where_the_policy_says() {
    assert_eq!(read("").metrics(), &MetricsRules::default());
    let text = "[metrics]\nlisten = \"127.0.0.1:9464\"\npage = true\ntextfile = \"/var/lib/node/hotcell.prom\"\n\
                otlp = \"http://127.0.0.1:4318\"";
    let expected = MetricsRules {
        listen: Some("127.0.0.1:9464".parse().unwrap()),
        page: true,
        textfile: Some("/var/lib/node/hotcell.prom".into()),
        otlp: Some("http://127.0.0.1:4318".to_owned()),
    };
    assert_eq!(read(text).metrics(), &expected);
    for address in [
        "0.0.0.0:1",
        "192.168.0.1:1",
        "[::]:1",
        "localhost:1",
        "127.0.0.1",
    ] {
        let text = format!("schema = 1\n[metrics]\nlisten = \"{address}\"");
        assert!(FilePolicy::read("p.toml", &text).is_err(), "{address}");
    }
}

fn schema_is_held() {
    let error = FilePolicy::read("p.toml", "grants = []").unwrap_err();
    assert!(error.to_string().contains("`schema`: missing"), "{error}");
}

fn isolation_is_required() {
    use hotcell::Isolation::{Confined, InProcess};
    assert_eq!(read("").isolation(), Confined);
    assert_eq!(read("isolation = \"in-process\"").isolation(), InProcess);
}

fn guarded_processes_are_the_tenants() {
    let may = |text: &str| terms(text, "a", None).guarded;
    assert!(may(""));
    assert!(!may("guard = false"));
    assert!(may("guard = false\n[tenants.a]\nguard = true"));
    assert!(!may("[tenants.a]\nguard = false"));
    assert!(may("[tenants.a]\n[tenants.b]\nguard = false"));
}

fn tier_is_required() {
    assert_eq!(read("").tier(), Tier::Full);
    assert_eq!(read("tier = \"unprivileged\"").tier(), Tier::Unprivileged);
    let both = "schema = 1\nisolation = \"in-process\"\ntier = \"full\"";
    let error = FilePolicy::read("p.toml", both).unwrap_err();
    assert!(error.to_string().contains("p.toml:3:8: `tier`"), "{error}");
}

fn metering_is_the_strongest() {
    let kernel = kernel("k", "light");
    let least = |text: &str| terms(text, "a", Some(&kernel)).metering;
    assert_eq!(least(""), Metering::Fast);
    assert_eq!(least("metering = \"strict\""), Metering::Strict);
    let profile = "metering = \"fast\"\n[profiles.light]\nmetering = \"deterministic\"\n[tenants.a]\nmetering = \"strict\"";
    assert_eq!(least(profile), Metering::Deterministic);
    assert_eq!(
        least("[tenants.a]\nmetering = \"deterministic\""),
        Metering::Deterministic
    );
    // What is said of fuel holds only where it is counted.
    for fuel in [
        "[limits]\nfuel = 5",
        "[tenants.a.ceilings]\nfuel = 5",
        "[profiles.light.limits]\nfuel = { value = 5, mode = \"observe\" }",
        "[tenants.a]\nrunning = 1\n[tenants.a.budgets]\nfuel = { size = 1, refill = 1, per = \"1s\" }",
    ] {
        assert_eq!(least(fuel), Metering::Strict, "{fuel}");
    }
    assert_eq!(
        least("[tenants.b.limits]\nfuel = 5\n[tenants.a]"),
        Metering::Fast
    );
}

fn grants_are_the_tenants_and_the_profiles() {
    let kernel = kernel("k", "light");
    let granted = |text: &str| terms(text, "a", Some(&kernel)).grants;
    let of = |names: &[Capability]| names.iter().copied().collect::<Grants>();
    use Capability::{Clock, Control, Gpu, Log};
    assert_eq!(granted(""), Grants::built_in());
    assert_eq!(granted("grants = []"), Grants::none());
    assert_eq!(granted("grants = [\"clock\"]"), of(&[Clock]));
    let tenant = "grants = [\"clock\"]\n[tenants.a]\ngrants = [\"log\", \"gpu\"]\n";
    assert_eq!(granted(tenant), of(&[Log, Gpu]));
    // A profile leaves, and gives nothing.
    let profile = format!("{tenant}[profiles.light]\ngrants = [\"log\", \"control\"]");
    assert_eq!(granted(&profile), of(&[Log]));
    assert_eq!(
        granted("[profiles.light]\ngrants = [\"control\", \"gpu\"]"),
        of(&[Control])
    );
}

fn limits_go_before_each_other() {
    let value = |text: &str, limit: Limit| {
        let limits = limits(text, "a");
        (limits.get(limit), limits.source(limit))
    };
    // Nobody says anything; the policy does; the manifest asks for fuel and for nothing else.
    let default = Limit::HostCalls.default_value(Default::default());
    assert_eq!(value("", Limit::HostCalls), (default, LimitSource::Default));
    let mut text = "[limits]\nhost_calls = 7\nfuel = 9\n".to_owned();
    assert_eq!(value(&text, Limit::HostCalls), (7, LimitSource::Policy));
    assert_eq!(value(&text, Limit::Fuel), (5000, LimitSource::Manifest));
    text += "[profiles.normal.limits]\nfuel = { value = 8 }\nhost_calls = \"8\"\n";
    assert_eq!(value(&text, Limit::Fuel), (8, LimitSource::Profile));
    assert_eq!(value(&text, Limit::HostCalls), (8, LimitSource::Profile));
    text += "[tenants.a.limits]\nfuel = { value = 6, mode = \"enforce\" }\n";
    assert_eq!(value(&text, Limit::Fuel), (6, LimitSource::Tenant));
    // The request goes before all of them.
    let kernel = kernel("k", "normal");
    let asked = BTreeMap::from([(Limit::Fuel, 11)]);
    let (limits, wrong) = resolve_limits(Some(&kernel), &asked, &terms(&text, "a", Some(&kernel)));
    assert_eq!(wrong, []);
    let fuel = (limits.get(Limit::Fuel), limits.source(Limit::Fuel));
    assert_eq!(fuel, (11, LimitSource::Request));
}

fn ceilings_are_the_lowest() {
    let kernel = kernel("k", "normal");
    let ceiling = |text: &str| {
        let terms = terms(text, "a", Some(&kernel));
        terms.ceilings.get(Limit::HostCalls)
    };
    assert_eq!(ceiling(""), Limit::HostCalls.ceiling());
    let mut text = "[ceilings]\nhost_calls = 90\n".to_owned();
    assert_eq!(ceiling(&text), 90);
    text += "[profiles.normal.ceilings]\nhost_calls = 85\n";
    assert_eq!(ceiling(&text), 85);
    text += "[tenants.a.ceilings]\nhost_calls = 80\n";
    assert_eq!(ceiling(&text), 80);
    text += "[profiles.normal.limits]\nhost_calls = 85\n";
    let above = "schema = 1\n[ceilings]\nfuel = 5\n[tenants.a.ceilings]\nfuel = 6";
    let error = FilePolicy::read("p.toml", above).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("5:8: `tenants.a.ceilings.fuel`: 6 is never reached"),
        "{error}"
    );
    // What a profile sets is brought down to a tenant's ceiling, and a request above it is refused.
    assert_eq!(limits(&text, "a").get(Limit::HostCalls), 80);
    let asked = BTreeMap::from([(Limit::HostCalls, 81)]);
    let (_, wrong) = resolve_limits(Some(&kernel), &asked, &terms(&text, "a", Some(&kernel)));
    assert_eq!(wrong.len(), 1);
}

fn observed_limits_stop_nothing() {
    let kernel = kernel("k", "normal");
    let text = "[limits]\nhost_calls = { value = 7, mode = \"observe\" }\n[tenants.a]\n[tenants.b.limits]\nhost_calls = 9";
    let default = Limit::HostCalls.default_value(Default::default());
    let of_a = terms(text, "a", Some(&kernel));
    let observed = of_a.observed[&Limit::HostCalls];
    assert_eq!((observed.value, observed.source), (7, LimitSource::Policy));
    assert_eq!(limits(text, "a").get(Limit::HostCalls), default);
    // What is nearer is enforced, and what is farther not observed any more.
    assert!(terms(text, "b", Some(&kernel)).observed.is_empty());
    assert_eq!(limits(text, "b").get(Limit::HostCalls), 9);
}

fn profiles_are_chosen() {
    let digest = Digest::from_bytes(DIGEST);
    let text = format!(
        "[[kernels]]\ndigest = \"{digest}\"\nname = \"gemm*\"\nprofile = \"trusted\"\n\
         [[kernels]]\nname = \"gemm\"\nprofile = \"other\"\n\
         [[kernels]]\nweight = \"heavy\"\nprofile = \"other\"\n\
         [profiles.trusted.limits]\nhost_calls = 1\n[profiles.other.limits]\nhost_calls = 2\n\
         [profiles.light.limits]\nhost_calls = 3\n"
    );
    let calls = |digest: [u8; 32], kernel: &Kernel| {
        let policy = read(&text);
        let terms = policy.terms(&Subject {
            tenant: &"a".parse().unwrap(),
            component: Some(Digest::from_bytes(digest)),
            kernel: Some(kernel),
        });
        resolve_limits(Some(kernel), &BTreeMap::new(), &terms)
            .0
            .get(Limit::HostCalls)
    };
    assert_eq!(calls(DIGEST, &kernel("gemm_tn", "heavy")), 1);
    assert_eq!(calls([8; 32], &kernel("gemm", "light")), 2);
    assert_eq!(calls([8; 32], &kernel("gemm_tn", "heavy")), 2);
    assert_eq!(calls(DIGEST, &kernel("k", "light")), 3);
    let default = Limit::HostCalls.default_value(Default::default());
    assert_eq!(calls(DIGEST, &kernel("k", "normal")), default);
}

fn kernels_are_refused() {
    let text = "[[kernels]]\nname = \"mine*\"\ndeny = \"no mining\"\n";
    let why = refused(text, "a", &kernel("miner", "light")).unwrap();
    assert_eq!(why, "p.toml refuses this kernel: no mining");
    assert_eq!(refused(text, "a", &kernel("k", "light")), None);
    let terms = terms(text, "a", Some(&kernel("miner", "light")));
    assert_eq!(terms.grants, Grants::none());
}

fn who_is_not_named_is_refused() {
    let kernel = kernel("k", "light");
    assert_eq!(refused("", "anybody", &kernel), None);
    let text = "[tenants.a]\n";
    assert_eq!(refused(text, "a", &kernel), None);
    let why = refused(text, "b", &kernel).unwrap();
    assert_eq!(
        why,
        "p.toml names no tenant `b`, and has no `[tenants.\"*\"]`"
    );
    let others = "[tenants.a]\n[tenants.\"*\"]\ngrants = []\n";
    assert_eq!(refused(others, "b", &kernel), None);
    assert_eq!(terms(others, "b", Some(&kernel)).grants, Grants::none());
    assert_eq!(terms(others, "a", Some(&kernel)).grants, Grants::built_in());
}

fn profiles_of_a_tenant_are_all_it_runs() {
    let text = "[profiles.mine]\n[[kernels]]\nname = \"mine\"\nprofile = \"mine\"\n[tenants.a]\nprofiles = [\"light\", \"mine\"]\n[tenants.b]\nprofiles = []";
    assert_eq!(refused(text, "a", &kernel("k", "light")), None);
    let why = refused(text, "a", &kernel("k", "heavy")).unwrap();
    assert!(
        why.contains("has the profile `heavy`") && why.contains("`light`, `mine`"),
        "{why}"
    );
    let why = refused(text, "b", &kernel("k", "light")).unwrap();
    assert!(why.ends_with("those of no profile"), "{why}");
}

fn subjects_are_read() {
    read("[tenants.a]\nsubjects = [\"user:alice\", \"uid:1000\", \"group:students\", \"gid:100\"]");
    let twice =
        "schema = 1\n[tenants.a]\nsubjects = [\"uid:1\"]\n[tenants.b]\nsubjects = [\"uid:1\"]";
    let error = FilePolicy::read("p.toml", twice).unwrap_err();
    let says = "p.toml:5:13: `tenants.b.subjects`: `uid:1` belongs to tenant `a` already";
    assert_eq!(error.to_string(), says);
    let others = "schema = 1\n[tenants.\"*\"]\nsubjects = [\"uid:1\"]";
    assert!(FilePolicy::read("p.toml", others).is_err());
}

#[test]
fn every_limit_can_be_set_observed_or_says_why_not_and_has_a_ceiling() {
    for limit in Limit::ALL {
        let unit = limit.unit();
        let half = limit.ceiling() / 2;
        let text = match unit {
            hotcell::limit::Unit::Ns => format!("{half}ns"),
            hotcell::limit::Unit::Bytes => format!("{half}B"),
            _ => half.to_string(),
        };
        let set = limits(&format!("[limits]\n{limit} = \"{text}\""), "a");
        let by_manifest = *limit == Limit::Fuel;
        assert_eq!(
            set.get(*limit),
            if by_manifest { 5000 } else { half },
            "{limit}"
        );
        let set = limits(&format!("[tenants.a.limits]\n{limit} = \"{text}\""), "a");
        assert_eq!(set.get(*limit), half, "{limit}");
        let terms = terms(&format!("[ceilings]\n{limit} = \"{text}\""), "a", None);
        assert_eq!(terms.ceilings.get(*limit), half, "{limit}");
        let observing =
            format!("schema = 1\n[limits]\n{limit} = {{ value = \"{text}\", mode = \"observe\" }}");
        let read = FilePolicy::read("p.toml", &observing);
        assert_eq!(read.is_ok(), hotcell::observable(*limit), "{limit}");
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once_in_the_order_of_lines() {
    let text = "schema = 1\nlimts = {}\n[limits]\nfuel = \"1x\"\ntimeout_ns = \"2s\"\n[tenants.a]\ngrant = []\n";
    let error = FilePolicy::read("p.toml", text).unwrap_err();
    let lines: Vec<usize> = error.problems.iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [2, 4, 7], "{error}");
    assert!(
        error.to_string().contains("known here: schema, isolation"),
        "{error}"
    );
    assert!(
        error.to_string().contains("known here: subjects, grants"),
        "{error}"
    );
    for no_toml in ["schema = ", "[a", "schema = 1\nschema = 1", "\u{0}"] {
        let error = FilePolicy::read("p.toml", no_toml).unwrap_err();
        assert!(error.to_string().contains("no TOML"), "{error}");
    }
    let long = format!("schema = 1\n{}", "#".repeat(5 << 20));
    assert!(FilePolicy::read("p.toml", &long).is_err());
}

#[test]
fn the_built_in_policy_is_what_holds_without_one() {
    let policy = FilePolicy::read("built-in", hotcell_policy::BUILT_IN).unwrap();
    let terms = policy.terms(&Subject {
        tenant: &"local".parse().unwrap(),
        component: None,
        kernel: None,
    });
    assert_eq!(terms, Terms::default());
}

#[test]
fn the_schema_has_every_key_and_nothing_else() {
    let schema = schema::json();
    let names = |value: &serde_json::Value| -> BTreeSet<String> {
        let properties = value["properties"].as_object().unwrap();
        properties.keys().cloned().collect()
    };
    let places = [
        &schema,
        &schema["properties"]["profiles"]["additionalProperties"],
        &schema["properties"]["kernels"]["items"],
        &schema["properties"]["tenants"]["additionalProperties"],
    ];
    for (table, place) in TABLES.iter().zip(places) {
        let known: BTreeSet<String> = table.keys.iter().map(|key| key.name.to_owned()).collect();
        assert_eq!(names(place), known, "{}", table.heading);
    }
    let limits = names(&schema["properties"]["limits"]);
    let known: BTreeSet<String> = Limit::ALL
        .iter()
        .map(|limit| limit.name().to_owned())
        .collect();
    assert_eq!(limits, known);
}

#[test]
fn a_refusal_names_the_line_that_would_grant() {
    let light = kernel("k", "light");
    let remedy = |text: &str, capability: Capability| {
        let tenant = "a".parse().unwrap();
        read(text).remedy(
            &Subject {
                tenant: &tenant,
                component: None,
                kernel: Some(&light),
            },
            capability,
        )
    };
    let top = remedy("", Capability::Clock).unwrap();
    assert!(
        top.contains("`grants = [\"log\", \"control\", \"clock\"]`")
            && top.contains("at the top of p.toml"),
        "{top}"
    );
    let tenant = remedy("[tenants.a]\ngrants = []", Capability::Gpu).unwrap();
    assert!(
        tenant.contains("`grants = [\"gpu\"]` under [tenants.a] of p.toml"),
        "{tenant}"
    );
    let profile = remedy(
        "grants = [\"gpu\"]\n[profiles.light]\ngrants = [\"log\"]",
        Capability::Gpu,
    )
    .unwrap();
    assert!(profile.contains("[profiles.light]"), "{profile}");
    assert_eq!(remedy("grants = [\"gpu\"]", Capability::Gpu), None);
    assert_eq!(remedy("[tenants.b]", Capability::Gpu), None);
}

fn allowances_are_the_tenants() {
    let text = "[tenants.a]\nrunning = 4\nwaiting = 2\n[tenants.a.budgets]\n\
        launches = { size = 100, refill = \"1k\", per = \"1m\" }\nbytes = { size = \"1GiB\", refill = \"1MiB\", per = \"1s\" }\n\
        [tenants.\"*\"]\nrunning = 1\n";
    let of_a = terms(text, "a", None).allowance;
    assert_eq!((of_a.running, of_a.waiting), (Some(4), 2));
    let launches = Rate::new(100, 1000, Duration::from_secs(60)).unwrap();
    let bytes = Rate::new(1 << 30, 1 << 20, Duration::from_secs(1)).unwrap();
    let rates: Vec<_> = of_a.budgets.iter().collect();
    assert_eq!(
        rates,
        [(Resource::Launches, launches), (Resource::Bytes, bytes)]
    );
    let of_others = terms(text, "b", None).allowance;
    assert_eq!((of_others.running, of_others.waiting), (Some(1), 0));
    assert!(terms("", "a", None).allowance.is_boundless());
    assert!(read(text).has_budgets() && !read("[tenants.a]").has_budgets());
}

#[test]
fn what_would_do_nothing_is_refused() {
    for (text, says) in [
        (
            "[profiles.havy]",
            "`profiles.havy`: no kernel has this profile",
        ),
        (
            "[[kernels]]\nname = \"*\"\ndeny = \"x\"\n[[kernels]]\nname = \"a\"\ndeny = \"y\"",
            "`kernels[1]`: never reached: kernels[0] fits every kernel",
        ),
        (
            "metering = \"strict\"\n[tenants.a]\nmetering = \"fast\"",
            "`tenants.a.metering`: `fast` is never had",
        ),
        (
            "[tenants.a]\nwaiting = 3",
            "`tenants.a.running`: launches wait for others only where",
        ),
        (
            "[tenants.a.budgets]\ncpu_ns = { size = \"1s\", refill = \"1s\", per = \"1m\" }",
            "`tenants.a.running`: a budget of what launches take needs `running`",
        ),
        (
            "[limits]\nfuel = 0x100",
            "`limits.fuel`: write numbers in decimal",
        ),
        (
            "[tenants.a]\nrunning = 0o17",
            "`tenants.a.running`: expected a number of launches",
        ),
    ] {
        let text = format!("schema = 1\n{text}");
        let error = FilePolicy::read("p.toml", &text)
            .expect_err(&text)
            .to_string();
        assert!(error.contains(says), "{error}");
    }
    // Nobody is named by an empty table.
    assert_eq!(refused("[tenants]", "a", &kernel("k", "light")), None);
}
