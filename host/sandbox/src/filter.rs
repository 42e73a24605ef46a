//! System calls by allow-list: the tables, and what compiles and installs them.
//!
//! A filter is a table of [`FilterRule`]s: a call, what its arguments must be, what is answered, and the call site
//! that needs it. What stands in no rule kills the process. The kernel takes the strictest answer of all the filters
//! that a thread has, so that a runner's final filter narrows the one it loaded under.

mod names;
mod program;
mod tables;

pub use names::call_name;
pub use program::{IS_TRAP_REPORT, Installed, TRAP_EXIT_CODE, TRAP_PREFIX, trapped_call};

use hotcell_model::guard::GuardProfile;
use std::collections::BTreeSet;
use std::fmt;

/// One line of a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilterRule {
    symbol: &'static str,
    /// The system call's number.
    pub number: i64,
    /// What its arguments must be, all of it; none: any.
    pub conditions: &'static [Condition],
    /// What then happens.
    pub action: Action,
    /// The call site that needs it.
    pub site: &'static str,
}

/// What one argument must be. The lower 32 bits are compared: no rule needs more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Which argument, from 0.
    pub argument: u8,
    /// What it must be.
    pub test: ArgumentTest,
}

/// A test of an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgumentTest {
    /// It is that.
    Is(u32),
    /// It is no more than that.
    AtMost(u32),
    /// It is no less than that.
    AtLeast(u32),
    /// Of the bits in the first, it has those in the second.
    Masked(u32, u32),
    /// It is zero, all of its 64 bits: a pointer to nothing.
    Null,
    /// It is the number of the process that installs the filter.
    OwnProcess,
}

/// What happens to a call that a rule matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is made.
    Allow,
    /// It is answered with "no such call", since a library that tries it lives without.
    Refuse,
    /// It is answered with "not now", as where there are as many processes as may be.
    Limit,
}

/// The kinds of GPU driver, which need different things of the operating system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DriverKind {
    /// Runs shaders on the processor, as machine code that it makes in this process.
    Software,
    /// Talks to a device.
    Hardware,
}

/// What happens to a call that no rule matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Otherwise {
    /// The process ends.
    Kill,
    /// It is not made: a handler of the process's notes it and answers with an error, and where there is none the process ends.
    Note,
}

/// The most tables that make a filter: one of its own and one for each profile.
const TABLES: usize = 1 + GuardProfile::ALL.len();

/// The allow-list of a worker in one phase of its life.
#[derive(Clone, Copy, Debug)]
pub struct Filter {
    tables: [&'static [FilterRule]; TABLES],
    otherwise: Otherwise,
}

impl FilterRule {
    /// The system call's name.
    pub fn name(&self) -> &'static str {
        self.symbol.strip_prefix("SYS_").unwrap_or(self.symbol)
    }
}

impl Filter {
    /// A compile process, from before its first request on.
    pub fn compiler() -> Self {
        Self::of(tables::COMPILER)
    }

    /// A runner while it loads its artifact.
    pub fn runner_load() -> Self {
        Self::of(tables::RUNNER_LOAD)
    }

    /// A runner from before the first guest instruction on.
    pub fn runner() -> Self {
        Self::of(tables::RUNNER)
    }

    /// A GPU worker from before its first launch on.
    pub fn gpu(driver: DriverKind) -> Self {
        Self::of(match driver {
            DriverKind::Software => tables::GPU_SOFTWARE,
            DriverKind::Hardware => tables::GPU_HARDWARE,
        })
    }

    /// A guarded process with those profiles, from before it imports anything on.
    pub fn guarded(profiles: &[GuardProfile]) -> Self {
        let mut filter = Self {
            otherwise: Otherwise::Note,
            ..Self::of(tables::GUARDED)
        };
        for profile in profiles {
            filter.tables[1 + *profile as usize] = tables::of_profile(*profile);
        }
        filter
    }

    /// How many calls are let through, whatever their arguments must be.
    pub fn allowed_calls(&self) -> usize {
        self.calls(Action::Allow)
    }

    /// How many calls are answered with an error, without a word.
    pub fn refused_calls(&self) -> usize {
        self.calls(Action::Refuse) + self.calls(Action::Limit)
    }

    /// What happens to a call that no rule matches.
    pub fn otherwise(&self) -> Otherwise {
        self.otherwise
    }

    fn of(table: &'static [FilterRule]) -> Self {
        let mut tables: [&[FilterRule]; TABLES] = [&[]; TABLES];
        tables[0] = table;
        Self {
            tables,
            otherwise: Otherwise::Kill,
        }
    }

    fn calls(&self, action: Action) -> usize {
        let of_action = self.rules().filter(|rule| rule.action == action);
        of_action
            .map(|rule| rule.number)
            .collect::<BTreeSet<_>>()
            .len()
    }

    /// The rules, for people and for tests.
    pub fn rules(&self) -> impl Iterator<Item = &'static FilterRule> {
        self.tables.into_iter().flatten()
    }
}

impl FilterRule {
    /// Whether a call with those arguments is under this rule.
    pub fn matches(&self, number: i64, arguments: &[u64; 6]) -> bool {
        self.number == number
            && self
                .conditions
                .iter()
                .all(|condition| condition.matches(arguments))
    }
}

impl Condition {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the lower half is what is compared"
    )]
    fn matches(&self, arguments: &[u64; 6]) -> bool {
        let argument = arguments[usize::from(self.argument)] as u32;
        match self.test {
            ArgumentTest::Is(value) => argument == value,
            ArgumentTest::AtMost(value) => argument <= value,
            ArgumentTest::AtLeast(value) => argument >= value,
            ArgumentTest::Masked(mask, value) => argument & mask == value,
            ArgumentTest::Null => arguments[usize::from(self.argument)] == 0,
            ArgumentTest::OwnProcess => argument == std::process::id(),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "argument {} ", self.argument)?;
        match self.test {
            ArgumentTest::Is(value) => write!(f, "= {value:#x}"),
            ArgumentTest::AtMost(value) => write!(f, "≤ {value:#x}"),
            ArgumentTest::AtLeast(value) => write!(f, "≥ {value:#x}"),
            ArgumentTest::Masked(mask, value) => write!(f, "& {mask:#x} = {value:#x}"),
            ArgumentTest::Null => f.write_str("= null"),
            ArgumentTest::OwnProcess => f.write_str("= its own process"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls with so many uses that a bare allow would be none.
    const NEVER_BARE: [i64; 10] = [
        libc::SYS_mmap,
        libc::SYS_mprotect,
        libc::SYS_mremap,
        libc::SYS_madvise,
        libc::SYS_clone,
        libc::SYS_ioctl,
        libc::SYS_fcntl,
        libc::SYS_prctl,
        libc::SYS_futex,
        libc::SYS_seccomp,
    ];

    fn all() -> Vec<Filter> {
        let mut all = vec![
            Filter::compiler(),
            Filter::runner_load(),
            Filter::runner(),
            Filter::gpu(DriverKind::Software),
            Filter::gpu(DriverKind::Hardware),
        ];
        all.extend(GuardProfile::ALL.map(|profile| Filter::guarded(&[profile])));
        all
    }

    #[test]
    fn a_guarded_process_makes_no_other_and_raises_nothing() {
        let filter = Filter::guarded(&GuardProfile::ALL);
        let allows = |number: i64, arguments: [u64; 6]| {
            let mut rules = filter.rules();
            rules.any(|rule| rule.action == Action::Allow && rule.matches(number, &arguments))
        };
        for number in [
            libc::SYS_fork,
            libc::SYS_vfork,
            libc::SYS_clone3,
            libc::SYS_execve,
            libc::SYS_execveat,
            libc::SYS_socket,
            libc::SYS_connect,
            libc::SYS_ptrace,
            libc::SYS_setrlimit,
            libc::SYS_unshare,
            libc::SYS_memfd_create,
            libc::SYS_seccomp,
            libc::SYS_pidfd_open,
            libc::SYS_process_vm_readv,
        ] {
            assert!(!allows(number, [0; 6]), "{number}");
        }
        let (own, other) = (u64::from(std::process::id()), 1);
        assert!(allows(libc::SYS_tgkill, [own, own, 6, 0, 0, 0]));
        assert!(!allows(libc::SYS_tgkill, [other, other, 6, 0, 0, 0]));
        // A limit's new value is at an address, of which all the bits count.
        assert!(allows(libc::SYS_prlimit64, [0, 7, 0, 1 << 40, 0, 0]));
        assert!(!allows(libc::SYS_prlimit64, [0, 7, 1 << 32, 0, 0, 0]));
        assert!(!allows(
            libc::SYS_clone,
            [libc::SIGCHLD as u64, 0, 0, 0, 0, 0]
        ));
        let code = (libc::PROT_READ | libc::PROT_EXEC) as u64;
        let plain = Filter::guarded(&[GuardProfile::Numpy]);
        let makes_code = |filter: &Filter| {
            let mut rules = filter.rules();
            rules.any(|rule| rule.matches(libc::SYS_mprotect, &[0, 4096, code, 0, 0, 0]))
        };
        assert!(!makes_code(&plain) && makes_code(&filter));
    }

    #[test]
    fn filters_are_as_small_as_promised() {
        assert!(Filter::compiler().allowed_calls() <= 25);
        assert!(Filter::runner().allowed_calls() <= 15);
        for driver in [DriverKind::Software, DriverKind::Hardware] {
            assert!(Filter::gpu(driver).allowed_calls() <= 30, "{driver:?}");
        }
    }

    #[test]
    fn a_gpu_worker_opens_nothing_and_runs_no_memory_that_can_be_written() {
        let opens = [
            libc::SYS_open,
            libc::SYS_openat,
            libc::SYS_openat2,
            libc::SYS_socket,
            libc::SYS_socketpair,
            libc::SYS_memfd_create,
            libc::SYS_pidfd_getfd,
        ];
        for driver in [DriverKind::Software, DriverKind::Hardware] {
            let filter = Filter::gpu(driver);
            for call in opens {
                let mut rules = filter.rules().filter(|rule| rule.number == call);
                assert!(rules.all(|rule| rule.action == Action::Refuse), "{call}");
            }
            let allows = |number: i64, protection: i32, flags: i32| {
                let [protection, flags] =
                    [protection, flags].map(|bits| u64::from(bits.cast_unsigned()));
                let arguments = [0, 4096, protection, flags, u64::MAX, 0];
                let mut rules = filter.rules();
                rules.any(|rule| rule.action == Action::Allow && rule.matches(number, &arguments))
            };
            let (exec, both) = (libc::PROT_EXEC, libc::PROT_WRITE | libc::PROT_EXEC);
            let private = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            for protection in [exec, both, both | libc::PROT_READ] {
                assert!(!allows(libc::SYS_mmap, protection, private));
                assert!(!allows(libc::SYS_mprotect, protection, 0));
            }
            let makes_code = allows(libc::SYS_mprotect, libc::PROT_READ | exec, 0);
            assert_eq!(makes_code, driver == DriverKind::Software);
        }
    }

    #[test]
    fn calls_with_many_uses_have_argument_rules() {
        for rule in all().iter().flat_map(Filter::rules) {
            let is_bare = rule.action == Action::Allow && rule.conditions.is_empty();
            assert!(
                !is_bare || !NEVER_BARE.contains(&rule.number),
                "{}",
                rule.name()
            );
        }
    }

    #[test]
    fn no_rule_is_redundant() {
        for filter in all() {
            let rules: Vec<_> = filter.rules().collect();
            for (at, rule) in rules.iter().enumerate() {
                let mut others = rules.iter().enumerate().filter(|(other, _)| *other != at);
                assert!(
                    others.all(|(_, other)| other.number != rule.number
                        || (other.conditions != rule.conditions
                            && !other.conditions.is_empty()
                            && !rule.conditions.is_empty())),
                    "{}",
                    rule.name()
                );
            }
        }
    }

    #[test]
    fn handlers_are_never_answered_with_an_error() {
        // A fault whose handler could not be installed would repeat for ever.
        let is_sigaction = |rule: &&FilterRule| rule.number == libc::SYS_rt_sigaction;
        assert_eq!(Filter::runner().rules().find(is_sigaction), None);
        assert_eq!(Filter::compiler().rules().find(is_sigaction), None);
        assert!(
            Filter::runner_load()
                .rules()
                .filter(is_sigaction)
                .all(|rule| rule.action == Action::Allow)
        );
    }

    #[test]
    fn what_a_locked_runner_may_do_it_may_do_while_loading() {
        // Filters add up, so that a rule of the final one that the earlier one lacks would do nothing.
        let load: Vec<_> = Filter::runner_load().rules().collect();
        for rule in Filter::runner().rules() {
            let covers = |wider: &&&FilterRule| {
                wider.number == rule.number
                    && (wider.conditions.is_empty() || wider.conditions == rule.conditions)
            };
            let action = load.iter().find(covers).map(|wider| wider.action);
            assert!(
                action == Some(Action::Allow) || action == Some(rule.action),
                "{}",
                rule.name()
            );
        }
    }
}
