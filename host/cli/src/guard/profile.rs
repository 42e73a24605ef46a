//! The guard's tables of system calls in the forms of others: a container's seccomp profile, a service's lines.
//!
//! What starts a process in such a place needs a few calls more, which a guarded process makes before its filter is on.

use hotcell::guarded::GuardProfile;
use hotcell_sandbox::filter::{Action, ArgumentTest, Condition, Filter, FilterRule};
use rustix::io::Errno;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

/// What a container's runtime and a dynamic loader call once the filter is on, before Python runs.
const START: [&str; 9] = [
    "execve",
    "arch_prctl",
    "set_tid_address",
    "capget",
    "capset",
    "prctl",
    "setgroups",
    "setgid",
    "setuid",
];

/// In whose form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProfileForm {
    /// A seccomp profile as Docker, Podman and the OCI's runtimes read it.
    Docker,
    /// Lines for a service's unit.
    Systemd,
}

impl FromStr for ProfileForm {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "docker" => Ok(Self::Docker),
            "systemd" => Ok(Self::Systemd),
            _ => Err("there are `docker` and `systemd`".to_owned()),
        }
    }
}

impl ProfileForm {
    /// The profiles' tables in this form.
    pub(crate) fn text(self, profiles: &[GuardProfile]) -> String {
        let filter = Filter::guarded(profiles);
        match self {
            Self::Docker => {
                let value = docker(&filter);
                format!("{value:#}\n")
            }
            Self::Systemd => systemd(&filter, profiles),
        }
    }
}

/// The calls that are let through on conditions that can be said elsewhere; empty for one without.
fn conditions(rule: &FilterRule) -> Vec<Condition> {
    // Which process and which descriptor are a guarded process's own affair.
    let is_own = |condition: &&Condition| {
        !matches!(condition.test, ArgumentTest::OwnProcess)
            && !(matches!(rule.name(), "sendmsg" | "recvmsg"))
    };
    rule.conditions.iter().filter(is_own).copied().collect()
}

fn argument(condition: &Condition) -> Value {
    let of =
        |op: &str, value: u64| json!({ "index": condition.argument, "value": value, "op": op });
    match condition.test {
        ArgumentTest::Is(value) => of("SCMP_CMP_EQ", value.into()),
        ArgumentTest::AtMost(value) => of("SCMP_CMP_LE", value.into()),
        ArgumentTest::AtLeast(value) => of("SCMP_CMP_GE", value.into()),
        ArgumentTest::Null => of("SCMP_CMP_EQ", 0),
        ArgumentTest::Masked(mask, value) => {
            let mut masked = of("SCMP_CMP_MASKED_EQ", mask.into());
            masked["valueTwo"] = json!(value);
            masked
        }
        ArgumentTest::OwnProcess => of("SCMP_CMP_GE", 0),
    }
}

fn error_number(error: Errno) -> i32 {
    error.raw_os_error()
}

fn docker(filter: &Filter) -> Value {
    let mut bare = BTreeSet::from(START);
    let mut calls: Vec<Value> = Vec::new();
    let mut refused: BTreeMap<i32, BTreeSet<&str>> = BTreeMap::new();
    for rule in filter.rules() {
        let conditions = conditions(rule);
        match rule.action {
            Action::Allow if conditions.is_empty() => {
                bare.insert(rule.name());
            }
            Action::Allow => {
                let arguments: Vec<Value> = conditions.iter().map(argument).collect();
                calls.push(json!({
                    "names": [rule.name()],
                    "action": "SCMP_ACT_ALLOW",
                    "args": arguments,
                    "comment": rule.site,
                }));
            }
            // Where a rule lets some of a call through, the rest is not permitted.
            Action::Refuse if conditions.is_empty() => {
                refused
                    .entry(error_number(Errno::NOSYS))
                    .or_default()
                    .insert(rule.name());
            }
            Action::Limit if conditions.is_empty() => {
                refused
                    .entry(error_number(Errno::AGAIN))
                    .or_default()
                    .insert(rule.name());
            }
            Action::Refuse | Action::Limit => {}
        }
    }
    calls.retain(|call| {
        !call["names"][0]
            .as_str()
            .is_some_and(|name| bare.contains(name))
    });
    let mut all = vec![json!({ "names": bare, "action": "SCMP_ACT_ALLOW" })];
    all.append(&mut calls);
    for (error, names) in refused {
        all.push(json!({ "names": names, "action": "SCMP_ACT_ERRNO", "errnoRet": error }));
    }
    json!({
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": error_number(Errno::PERM),
        "archMap": [{ "architecture": "SCMP_ARCH_X86_64", "subArchitectures": [] }],
        "syscalls": all,
    })
}

fn systemd(filter: &Filter, profiles: &[GuardProfile]) -> String {
    let allowed = filter.rules().filter(|rule| rule.action == Action::Allow);
    let mut names: BTreeSet<&str> = allowed.map(FilterRule::name).collect();
    names.extend(START);
    let names: Vec<&str> = names.into_iter().collect();
    let makes_code = profiles.iter().any(|one| *one != GuardProfile::Numpy);
    let mut text = String::from(
        "# What a guarded process may ask of the operating system's kernel, for a service: a unit cannot say which arguments,\n# and has one error for all: this one has the C library make threads by `clone`.\n[Service]\n\
         SystemCallArchitectures=native\nSystemCallErrorNumber=ENOSYS\n",
    );
    for line in names.chunks(8) {
        text += &format!("SystemCallFilter={}\n", line.join(" "));
    }
    text += &format!(
        "MemoryDenyWriteExecute={}\n",
        if makes_code { "no" } else { "yes" }
    );
    text += "NoNewPrivileges=yes\nCapabilityBoundingSet=\nPrivateNetwork=yes\nRestrictAddressFamilies=AF_UNIX\nRestrictNamespaces=yes\n\
             ProtectSystem=strict\nProtectHome=yes\nPrivateTmp=yes\nPrivateDevices=yes\nProtectKernelTunables=yes\nProtectKernelModules=yes\n\
             ProtectKernelLogs=yes\nProtectControlGroups=yes\nProtectClock=yes\nProtectHostname=yes\nLockPersonality=yes\nRestrictRealtime=yes\n\
             RestrictSUIDSGID=yes\nLimitCORE=0\n";
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_containers_profile_allows_what_a_guarded_process_may_and_no_more_than_its_start() {
        let filter = Filter::guarded(&GuardProfile::ALL);
        let profile = docker(&filter);
        let calls = profile["syscalls"].as_array().unwrap();
        let is_allowed = |name: &str| {
            calls.iter().any(|call| {
                let names = call["names"].as_array().unwrap();
                call["action"] == "SCMP_ACT_ALLOW" && names.iter().any(|one| one == name)
            })
        };
        for rule in filter.rules().filter(|rule| rule.action == Action::Allow) {
            assert!(is_allowed(rule.name()), "{}", rule.name());
        }
        for never in [
            "socket", "ptrace", "mount", "bpf", "fork", "vfork", "clone3", "unshare", "keyctl",
        ] {
            assert!(!is_allowed(never), "{never}");
        }
        assert_eq!(profile["defaultErrnoRet"], error_number(Errno::PERM));
        // Memory that becomes executable is a matter of arguments.
        let bare = calls[0]["names"].as_array().unwrap();
        assert!(
            !bare
                .iter()
                .any(|name| name == "mprotect" || name == "mmap" || name == "clone")
        );
    }

    #[test]
    fn a_services_lines_name_every_call_and_who_makes_no_code_may_make_none() {
        let numpy = ProfileForm::Systemd.text(&[GuardProfile::Numpy]);
        assert!(numpy.contains("MemoryDenyWriteExecute=yes"));
        assert!(
            ProfileForm::Systemd
                .text(&GuardProfile::ALL)
                .contains("MemoryDenyWriteExecute=no")
        );
        for rule in Filter::guarded(&[])
            .rules()
            .filter(|rule| rule.action == Action::Allow)
        {
            assert!(numpy.contains(rule.name()), "{}", rule.name());
        }
        assert!(!numpy.contains(" socket "));
    }
}
