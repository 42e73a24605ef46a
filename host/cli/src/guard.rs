//! `hotcell guard`

pub(crate) mod interpreter;
mod profile;

use crate::collisions::Collisions;
use crate::exit::CommandError;
use crate::hint::explain;
use crate::host::{GuardHostArguments, build, furnished};
use crate::run::{Reporting, human};
use crate::say::{print, tell};
use anyhow::{Context, Result, anyhow, bail, ensure};
use bytes::Bytes;
use clap::Args;
use hotcell::guarded::GuardProfile;
use hotcell::limit::Limit;
use hotcell::outcome::OutcomeKind;
use hotcell::{GuardCall, GuardSettings, StopSignal};
use interpreter::{Interpreter, Program};
use profile::ProfileForm;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Run a Python program as it is, in a process of its own: with limits, least privilege and a record.
///
/// For programs that cannot move into a cell: Taichi, JAX and PyTorch with their own compilers, NumPy. Weaker than a cell, and
/// said so in every report: the operating system's kernel is the only wall. The program sees the interpreter, its packages, its
/// own file and what is granted, and may write to a folder of its own, which is in memory and its working directory. Its standard
/// input, output and error are this command's own.
///
/// The interpreter needs the package: `pip install hotcell`.
#[derive(Args)]
pub(crate) struct GuardCommand {
    /// Stop the program after this long: 200ms, 5s, 2m [default: 60m]
    #[arg(long, value_name = "DURATION")]
    timeout: Option<String>,
    /// Private writable memory, beyond what the interpreter has: 2GiB [default: 4GiB]
    #[arg(long, value_name = "BYTES")]
    memory: Option<String>,
    /// Processor time over all threads: 30s [default: 240m]
    #[arg(long, value_name = "DURATION")]
    cpu_time: Option<String>,
    /// Threads [default: 256]
    #[arg(long, value_name = "COUNT")]
    threads: Option<String>,
    /// Files in the program's own folder, which is in memory [default: 256MiB]
    #[arg(long, value_name = "BYTES")]
    scratch: Option<String>,
    /// Which system calls it may make, besides those of Python and NumPy: jax, taichi, torch-cpu; several add up [default: all]
    #[arg(long = "profile", value_name = "NAME")]
    profiles: Vec<GuardProfile>,
    /// Let it read that file or directory
    #[arg(long, value_name = "PATH")]
    read: Vec<PathBuf>,
    /// Let it write to that file or directory
    #[arg(long, value_name = "PATH")]
    write: Vec<PathBuf>,
    /// Give it a variable; it has none of this command's environment but the language and the time zone
    #[arg(long = "env", value_name = "NAME=VALUE")]
    environment: Vec<String>,
    /// Print the profiles as a filter for something else, and run nothing
    #[arg(long, value_name = "docker|systemd", conflicts_with = "program")]
    print_profile: Option<ProfileForm>,
    /// Write the report as JSON to a file, or to the standard output (-), whatever the outcome
    #[arg(long, value_name = "FILE|-")]
    report: Option<String>,
    /// Print nothing but errors
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    host: GuardHostArguments,
    /// The interpreter, and what it is started with: python script.py ARGUMENTS, python -m MODULE, python -c CODE
    #[arg(
        last = true,
        value_name = "PROGRAM",
        required_unless_present = "print_profile"
    )]
    program: Vec<String>,
}

impl GuardCommand {
    /// Runs the program, and returns its exit code, or that of how it ended.
    pub(crate) fn execute(self) -> Result<u8> {
        let usage = |error: anyhow::Error| CommandError::of(OutcomeKind::Usage, error);
        let profiles = match &self.profiles[..] {
            [] => GuardProfile::ALL.to_vec(),
            named => named.to_vec(),
        };
        if let Some(form) = self.print_profile {
            print(form.text(&profiles))?;
            return Ok(0);
        }
        let limits = self.limits().map_err(usage)?;
        let program = Program::read(&self.program).map_err(usage)?;
        let interpreter = Interpreter::ask(&program.interpreter).map_err(usage)?;
        let settings = self
            .settings(&interpreter, &program, profiles)
            .map_err(usage)?;
        let mut files = Collisions::default();
        if let Some(script) = &program.script {
            files.reads("the program", script);
        }
        let report = Reporting::prepare(self.report.as_deref(), files)?;
        let policy = self.host.policy.load()?;
        let builder = self.host.builder(policy.as_ref())?;
        let cell = build(furnished(builder, policy.as_ref())?)?;
        let guard = cell.guard(settings);
        let stop = Arc::new(StopSignal::default());
        let (signal, asked) = (Arc::clone(&stop), AtomicBool::new(false));
        // Without a handler Ctrl-C ends the process, which loses the report and nothing else.
        let _ = ctrlc::set_handler(move || {
            if asked.swap(true, Ordering::Relaxed) {
                hotcell_sandbox::process::end_all();
                std::process::exit(i32::from(OutcomeKind::Cancelled.exit_code()));
            }
            signal.cancel();
        });
        let ended = guard.run(program.call(limits)?, &stop);
        report.write(&ended.report)?;
        if ended.outcome.kind != OutcomeKind::Done {
            tell(format_args!(
                "hotcell: {}: {}",
                ended.outcome.kind,
                explain(&ended.outcome)
            ));
            return Ok(ended.outcome.kind.exit_code());
        }
        let code = ended
            .returned
            .and_then(|returned| returned.text.parse::<i64>().ok());
        if !self.quiet {
            tell(format_args!(
                "{} done in {} ({} isolation)",
                ended.report.component.entry,
                human(Duration::from_nanos(ended.report.usage.wall_ns)),
                ended.report.isolation
            ));
        }
        // As a shell has it: the lowest eight bits.
        Ok(code.map_or(1, |code| u8::try_from(code & 0xff).unwrap_or(1)))
    }

    fn limits(&self) -> Result<BTreeMap<Limit, u64>> {
        // A program may take as long as any may, unless somebody says otherwise.
        let mut limits = BTreeMap::from([
            (Limit::Timeout, Limit::Timeout.ceiling()),
            (Limit::CpuTime, Limit::CpuTime.ceiling()),
        ]);
        for (limit, option, text) in [
            (Limit::Timeout, "--timeout", &self.timeout),
            (Limit::ProcessMemory, "--memory", &self.memory),
            (Limit::CpuTime, "--cpu-time", &self.cpu_time),
            (Limit::Threads, "--threads", &self.threads),
            (Limit::ScratchBytes, "--scratch", &self.scratch),
        ] {
            if let Some(text) = text {
                let value = limit.unit().parse(text);
                limits.insert(limit, value.with_context(|| option.to_owned())?);
            }
        }
        Ok(limits)
    }

    fn settings(
        &self,
        interpreter: &Interpreter,
        program: &Program,
        profiles: Vec<GuardProfile>,
    ) -> Result<GuardSettings> {
        let granted = |paths: &[PathBuf], option: &str| -> Result<Vec<PathBuf>> {
            let path = |path: &PathBuf| {
                let shown = || format!("{option} {}", path.display());
                let found = path.canonicalize().with_context(shown)?;
                let is_whole = ["/", "/tmp", "/proc", "/sys"]
                    .iter()
                    .any(|whole| found == Path::new(whole));
                ensure!(
                    !is_whole,
                    "{} grants more than one thing: name what is in it",
                    shown()
                );
                Ok(found)
            };
            paths.iter().map(path).collect()
        };
        let mut environment = BTreeMap::new();
        for pair in &self.environment {
            let Some((name, value)) = pair.split_once('=') else {
                bail!("--env {pair}: expected NAME=VALUE");
            };
            environment.insert(name.to_owned(), value.to_owned());
        }
        let mut read = interpreter.read.clone();
        read.extend(granted(&self.read, "--read")?);
        read.extend(program.script.clone());
        Ok(GuardSettings {
            interpreter: interpreter.executable.clone(),
            arguments: interpreter.arguments.iter().map(Into::into).collect(),
            profiles,
            read,
            write: granted(&self.write, "--write")?,
            setup: interpreter.setup(&environment, program.words()),
            tenant: self.host.policy.tenant(),
            has_spare: false,
        })
    }
}

impl Program {
    /// The call that it is for records.
    fn call(&self, limits: BTreeMap<Limit, u64>) -> Result<GuardCall> {
        let bytes = match &self.script {
            Some(script) => {
                let read = std::fs::read(script).with_context(|| script.display().to_string());
                read.map_err(|error| CommandError::of(OutcomeKind::Io, error))?
            }
            None => self.words().to_string().into_bytes(),
        };
        Ok(GuardCall {
            function: self.name(),
            path: self
                .script
                .as_ref()
                .map(|script| script.display().to_string()),
            function_pickle: Bytes::from(bytes),
            arguments_pickle: Bytes::new(),
            buffers: Vec::new(),
            arrays: Vec::new(),
            limits,
            stop_grace: GuardCall::DEFAULT_STOP_GRACE,
            caller: hotcell::Caller::default(),
            observer: Arc::new(()),
            ticket: None,
        })
    }
}

/// The interpreter that is used where none is named.
pub(crate) const PYTHON: &str = "python3";

/// What an interpreter without the package is told.
pub(crate) fn no_package(python: &str) -> anyhow::Error {
    anyhow!("{python} has no package `hotcell`: `{python} -m pip install hotcell` brings it")
}
