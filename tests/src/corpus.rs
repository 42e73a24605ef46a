//! The attacks that an installed `hotcell` must survive, as a user would type them.
//!
//! A table row is a command line, the files it finds, and the ends it may have. Nothing here runs anything:
//! `hotcell-attack` does, and writes down what it saw.

mod bombs;
mod components;
mod files;
mod gpus;
mod guests;
mod options;
mod signals;

use crate::bombs::Bomb;
use crate::guest::{Guest, checkout};
use hotcell::limit::Limit;
use hotcell::outcome::{Blame, OutcomeKind};
use std::path::Path;
use std::time::Duration;

pub use guests::{GUESTS, GuestAttack};

/// What an honest input and a whole output have.
pub const BYTES: usize = 4096;

/// How long an attack may take where nothing else is said.
const PATIENCE: Duration = Duration::from_secs(20);

/// One attack.
pub struct Attack {
    /// What is attacked.
    pub group: Group,
    /// Its name, without spaces.
    pub name: String,
    /// The command line after `hotcell`, its words separated by spaces.
    pub arguments: String,
    /// What it finds in its working directory besides the honest `x.npy` and an old `out.npy`.
    pub files: Vec<(String, Content)>,
    /// How it may end.
    pub expected: Expected,
    /// What happens to the command meanwhile.
    pub disturbance: Option<Disturbance>,
    /// How long it may take.
    pub patience: Duration,
    /// Limits of the compilation that its report must keep: wall-clock nanoseconds and bytes.
    pub compile_limits: Option<(u64, u64)>,
}

/// What an attack is an attack on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Guest code that runs.
    Guest,
    /// What reads a component.
    Component,
    /// The compiler.
    Bomb,
    /// What reads arrays.
    Input,
    /// What writes arrays and reports.
    Output,
    /// What reads the command line.
    Options,
    /// The supervisor's life.
    Supervisor,
    /// The GPU worker and its device.
    Gpu,
}

impl Group {
    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Guest => "guest code",
            Self::Component => "components",
            Self::Bomb => "compile bombs",
            Self::Input => "input files",
            Self::Output => "output files",
            Self::Options => "options",
            Self::Supervisor => "supervisor",
            Self::Gpu => "GPU",
        }
    }
}

/// A thing in an attack's working directory.
pub enum Content {
    /// A file of those bytes.
    Bytes(Vec<u8>),
    /// A hostile guest's component.
    Guest(Box<Guest>),
    /// The component of a kernel that `cargo xtask kernels` has built.
    Kernel(&'static str),
    /// A bomb's component.
    Bomb(&'static Bomb),
    /// A directory.
    Folder,
    /// A symbolic link to that name.
    Link(&'static str),
    /// A named pipe that nobody reads: like a device, but one that may come to harm.
    Pipe,
}

impl Content {
    /// Puts it at a path where nothing is.
    ///
    /// # Errors
    /// As the file system.
    pub fn put(&self, path: &Path) -> std::io::Result<()> {
        match self {
            Self::Bytes(bytes) => std::fs::write(path, bytes),
            Self::Guest(guest) => std::fs::write(path, guest.bytes()),
            Self::Kernel(name) => {
                let built = checkout().join(format!("target/kernels/{name}.wasm"));
                std::fs::copy(built, path).map(drop)
            }
            Self::Bomb(bomb) => std::fs::write(path, bomb.bytes()),
            Self::Folder => std::fs::create_dir(path),
            Self::Link(target) => std::os::unix::fs::symlink(target, path),
            Self::Pipe => {
                let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
                let kind = rustix::fs::FileType::Fifo;
                Ok(rustix::fs::mknodat(rustix::fs::CWD, path, kind, mode, 0)?)
            }
        }
    }
}

/// How an attack may end.
#[derive(Clone, Debug)]
pub enum Expected {
    /// With one of those kinds and, where one is named, that blame; the report says the same.
    Outcome(Vec<OutcomeKind>, Option<Blame>),
    /// With that kind's exit code and one line, before there is a launch to report.
    NoLaunch(OutcomeKind),
    /// By the signal that the disturbance sends, at once.
    Killed,
}

/// A signal to the supervisor.
#[derive(Clone, Copy, Debug)]
pub struct Disturbance {
    /// Which.
    pub signal: Signal,
    /// When.
    pub moment: Moment,
}

/// Which signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT: the user cancels.
    Interrupt,
    /// SIGKILL: the supervisor dies.
    Kill,
}

/// When a signal is sent.
#[derive(Clone, Copy, Debug)]
pub enum Moment {
    /// That long after the start.
    Started(Duration),
    /// That long after the component was compiled.
    Compiled(Duration),
}

impl Attack {
    fn new(group: Group, name: impl Into<String>, expected: Expected) -> Self {
        Self {
            group,
            name: name.into(),
            arguments: String::new(),
            files: Vec::new(),
            expected,
            disturbance: None,
            patience: PATIENCE,
            compile_limits: None,
        }
    }

    /// Runs that file on the honest input into `out.npy`, with further options.
    #[must_use]
    fn run(self, kernel: &str, options: &str) -> Self {
        self.line(&format!(
            "run {kernel} --in x=@x.npy --out out=@out.npy --report r.json {options}"
        ))
    }

    #[must_use]
    fn line(mut self, arguments: &str) -> Self {
        self.arguments = arguments.to_owned();
        self
    }

    #[must_use]
    fn file(mut self, name: &str, content: Content) -> Self {
        self.files.push((name.to_owned(), content));
        self
    }

    /// With the component of a guest in `tests/guests`, as `NAME.wasm`.
    #[must_use]
    fn guest(self, name: &str) -> Self {
        self.file(
            &format!("{name}.wasm"),
            Content::Guest(Box::new(Guest::named(name))),
        )
    }

    #[must_use]
    fn signal(mut self, signal: Signal, moment: Moment) -> Self {
        self.disturbance = Some(Disturbance { signal, moment });
        self
    }

    /// Whether a report is asked for and due.
    pub fn has_report(&self) -> bool {
        matches!(self.expected, Expected::Outcome(..)) && self.arguments.contains("--report r.json")
    }
}

/// An end of one kind.
fn ends(kind: OutcomeKind, blame: Option<Blame>) -> Expected {
    Expected::Outcome(vec![kind], blame)
}

/// Every attack, in groups.
pub fn attacks() -> Vec<Attack> {
    let mut attacks = Vec::new();
    attacks.extend(guests::attacks());
    attacks.extend(components::attacks());
    attacks.extend(files::attacks());
    attacks.extend(options::attacks());
    attacks.extend(signals::attacks());
    attacks.extend(bombs::attacks());
    attacks.extend(gpus::attacks());
    attacks
}

/// A handful of them, of every group.
pub fn quick_attacks() -> Vec<Attack> {
    const QUICK: [&str; 23] = [
        "honest",
        "divides_by_zero",
        "endless_loop",
        "memory_in_one_step",
        "wants_clock",
        "truncated-by-half",
        "mutated-0",
        "huge.npy",
        "link.npy",
        "unknown-limit",
        "killed-while-running",
        "interrupted-while-running",
        "data_segments-tight",
        "memories_and_tables-tight",
        "instances-tight",
        "report-over-a-pipe",
        "report-over-an-input",
        "report-over-the-component",
        "report-over-an-output",
        "gpu-honest",
        "gpu-endless-loop",
        "gpu-beyond-the-deadline",
        "gpu-killed-while-running",
    ];
    let mut attacks = attacks();
    attacks.retain(|attack| QUICK.contains(&attack.name.as_str()));
    attacks
}

/// A limit's default in a launch of normal weight.
fn default_of(limit: Limit) -> u64 {
    limit.default_value(Default::default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_hostile_guest_is_in_the_corpus() {
        let entries = std::fs::read_dir(checkout().join("tests/guests")).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let files: BTreeSet<String> = paths
            .filter(|path| path.extension().is_some_and(|extension| extension == "wat"))
            .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
            .collect();
        let table: BTreeSet<String> = GUESTS.iter().map(|row| row.guest.to_owned()).collect();
        assert_eq!(files, table);
    }

    #[test]
    fn names_are_unique_and_every_file_of_a_command_line_is_there() {
        let attacks = attacks();
        let mut names = BTreeSet::new();
        for attack in &attacks {
            assert!(names.insert(&attack.name), "{} is there twice", attack.name);
            let kernel = attack.arguments.split(' ').nth(1).unwrap();
            let has = |name: &str| attack.files.iter().any(|(file, _)| file == name);
            assert!(has(kernel), "{}: {kernel}", attack.name);
        }
        assert!(attacks.len() > 150, "{}", attacks.len());
    }

    #[test]
    fn the_quick_attacks_have_every_group() {
        let of = |attacks: Vec<Attack>| -> BTreeSet<Group> {
            attacks.iter().map(|attack| attack.group).collect()
        };
        assert_eq!(of(quick_attacks()), of(attacks()));
        assert_eq!(quick_attacks().len(), 23);
    }
}
