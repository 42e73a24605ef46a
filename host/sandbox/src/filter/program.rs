//! Filters as the operating system's kernel takes them.
//!
//! A filter becomes several programs, since one has one action for what its rules match: the first answer the
//! calls that are refused with an error, the last lets through those and the allowed ones and has an end for the rest. The
//! kernel takes the strictest answer of all.

use super::{Action, ArgumentTest, Condition, Filter, FilterRule, Otherwise, tables};
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch,
};
use std::collections::{BTreeMap, BTreeSet};
use std::io;

/// Whether refused calls are reported before the worker ends: then the filter does not count as a layer.
pub const IS_TRAP_REPORT: bool = cfg!(feature = "trap-report");

/// What the message about a refused call begins with; no frame begins so. The number follows.
pub const TRAP_PREFIX: &[u8] = b"\xffrefused system call ";
/// What a worker ends with after that message.
pub const TRAP_EXIT_CODE: i32 = 159;

/// The refused call that a message of a worker with the feature `trap-report` is about.
pub fn trapped_call(message: &[u8]) -> Option<u32> {
    std::str::from_utf8(message.strip_prefix(TRAP_PREFIX)?)
        .ok()?
        .parse()
        .ok()
}

/// What the kernel was told, for the evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Installed {
    /// Calls that are let through.
    pub allowed_calls: usize,
    /// Calls that are answered with an error.
    pub refused_calls: usize,
}

impl Filter {
    /// Whether there are filters for this architecture.
    pub fn is_supported() -> bool {
        cfg!(target_arch = "x86_64")
    }

    /// Puts the filter on every thread of this process, for ever.
    pub(crate) fn install(&self) -> io::Result<Installed> {
        for program in self.compile().map_err(io::Error::other)? {
            apply(&program)?;
        }
        Ok(Installed {
            allowed_calls: self.allowed_calls(),
            refused_calls: self.refused_calls(),
        })
    }

    /// The programs, in the order in which they must be installed: the last takes away the right to install more.
    fn compile(&self) -> Result<Vec<BpfProgram>, BackendError> {
        let mut programs = Vec::with_capacity(3);
        for (action, error) in [
            (Action::Refuse, libc::ENOSYS),
            (Action::Limit, libc::EAGAIN),
        ] {
            let mut rules = self.rules().filter(|rule| rule.action == action).peekable();
            if rules.peek().is_some() {
                let answer = SeccompAction::Errno(error.cast_unsigned());
                programs.push(build(rules, SeccompAction::Allow, answer)?);
            }
        }
        let otherwise = match (IS_TRAP_REPORT, self.otherwise) {
            (true, _) | (_, Otherwise::Note) => SeccompAction::Trap,
            (false, Otherwise::Kill) => SeccompAction::KillProcess,
        };
        programs.push(build(self.rules(), otherwise, SeccompAction::Allow)?);
        Ok(programs)
    }
}

fn build(
    rules: impl Iterator<Item = &'static FilterRule>,
    otherwise: SeccompAction,
    matching: SeccompAction,
) -> Result<BpfProgram, BackendError> {
    let mut chains: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    let mut bare = BTreeSet::new();
    for rule in rules {
        let chain = chains.entry(rule.number).or_default();
        if rule.conditions.is_empty() {
            bare.insert(rule.number);
            continue;
        }
        let conditions = rule
            .conditions
            .iter()
            .map(condition)
            .collect::<Result<_, _>>()?;
        chain.push(SeccompRule::new(conditions)?);
    }
    // A chain without conditions matches whatever the arguments are.
    for number in bare {
        chains.insert(number, Vec::new());
    }
    let target = TargetArch::try_from(std::env::consts::ARCH)?;
    SeccompFilter::new(chains, otherwise, matching, target)?.try_into()
}

fn condition(condition: &Condition) -> Result<SeccompCondition, BackendError> {
    let (operator, value) = match condition.test {
        ArgumentTest::Is(value) => (SeccompCmpOp::Eq, value),
        ArgumentTest::AtMost(value) => (SeccompCmpOp::Le, value),
        ArgumentTest::AtLeast(value) => (SeccompCmpOp::Ge, value),
        ArgumentTest::Masked(mask, value) => (SeccompCmpOp::MaskedEq(mask.into()), value),
        ArgumentTest::Null => (SeccompCmpOp::Eq, 0),
        ArgumentTest::OwnProcess => (SeccompCmpOp::Eq, std::process::id()),
    };
    let size = match condition.test {
        ArgumentTest::Null => SeccompCmpArgLen::Qword,
        _ => SeccompCmpArgLen::Dword,
    };
    SeccompCondition::new(condition.argument, size, operator, value.into())
}

fn apply(program: &BpfProgram) -> io::Result<()> {
    let len = u16::try_from(program.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let filter = program.as_ptr().cast_mut().cast();
    let description = libc::sock_fprog { len, filter };
    // SAFETY: the kernel reads the description and its program, both of which outlive the call. The program's
    // instructions have the layout of the kernel's.
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            tables::FILTER_FLAGS,
            &raw const description,
        )
    };
    match result {
        0 => Ok(()),
        // With TSYNC, the number of a thread that has a filter of its own.
        1.. => Err(io::Error::other("a thread has a filter of its own")),
        _ => Err(io::Error::last_os_error()),
    }
}
