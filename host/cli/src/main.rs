//! The `hotcell` command: run compute kernels that nobody trusts yet.
//!
//! One module a command, each with an `execute`. What a kernel did is never an error here but an outcome,
//! with the exit code that `docs/operators.md` lists; errors are for what the command itself could not do.

mod arguments;
mod audit;
mod bench;
mod beside;
mod build;
mod cache;
mod collisions;
mod command_request;
mod compile;
mod completions;
mod connect;
mod directories;
mod doctor;
mod exit;
mod guard;
mod hint;
mod host;
mod import;
mod inspect;
mod new;
mod policy;
mod profile;
mod progress;
mod ps;
mod report;
mod report_place;
mod rerun;
mod run;
mod say;
mod serve;
mod stats;
mod top;

use clap::{CommandFactory, Parser, Subcommand};
use std::process::ExitCode;

/// Run compute kernels that nobody trusts yet, at nearly the speed of trusted code.
#[derive(Parser)]
#[command(name = "hotcell", version, max_term_width = 100)]
struct Hotcell {
    #[command(subcommand)]
    command: HotcellCommand,
}

#[derive(Subcommand)]
enum HotcellCommand {
    /// Run a kernel on arrays and pictures, under limits
    Run(Box<run::RunCommand>),
    /// Run a Python program as it is, in a process of its own: with limits, least privilege and a record
    Guard(Box<guard::GuardCommand>),
    /// Serve launches to the tenants of this machine, behind a Unix socket
    Serve(serve::ServeCommand),
    /// Watch a daemon: its workers, budgets and launches, and cancel what should not go on
    Top(top::TopCommand),
    /// List the launches that a daemon runs
    Ps(ps::PsCommand),
    /// Cancel launches that a daemon runs
    Cancel(ps::CancelCommand),
    /// Show what a component says of itself and asks for; runs nothing
    Inspect(inspect::InspectCommand),
    /// Compile a component ahead of its first run
    Compile(compile::CompileCommand),
    /// Run a report's launch again and say whether it ends the same
    Rerun(rerun::RerunCommand),
    /// Sum a report up for a person
    Report(report::ReportCommand),
    /// Measure what a kernel costs by the sizes of its arrays, and say which limits fit
    Profile(Box<profile::ProfileCommand>),
    /// Hold kernels' exact fuel against what it was
    Bench(Box<bench::BenchCommand>),
    /// Build a kernel component from a project or an object, or add a manifest to one
    Build(build::BuildCommand),
    /// Make a component of a StableHLO module, as JAX exports it
    Import(import::ImportCommand),
    /// Make a new kernel project
    New(new::NewCommand),
    /// Check the operator's policy, and say what it comes to
    Policy(policy::PolicyCommand),
    /// Verify the audit log, prove what is in it, and find records
    Audit(Box<audit::AuditCommand>),
    /// Say what kernels took, from the audit log
    Stats(stats::StatsCommand),
    /// Look at or clear the cache of compiled kernels
    Cache(cache::CacheCommand),
    /// Try to break out of real workers, and say how strong the walls are on this machine
    Doctor(doctor::DoctorCommand),
    /// Write what has a shell complete this command's words
    Completions(completions::CompletionsCommand),
}

fn main() -> ExitCode {
    // A file that grows beyond a limit is an error with words, and no end without.
    hotcell_sandbox::process::survive_file_size_limit();
    let result = match Hotcell::parse().command {
        HotcellCommand::Run(command) => command.execute(),
        HotcellCommand::Guard(command) => command.execute(),
        HotcellCommand::Serve(command) => command.execute().map(|()| 0),
        HotcellCommand::Top(command) => command.execute().map(|()| 0),
        HotcellCommand::Ps(command) => command.execute().map(|()| 0),
        HotcellCommand::Cancel(command) => command.execute().map(|()| 0),
        HotcellCommand::Inspect(command) => command.execute().map(|()| 0),
        HotcellCommand::Compile(command) => command.execute().map(|()| 0),
        HotcellCommand::Rerun(command) => command.execute(),
        HotcellCommand::Report(command) => command.execute().map(|()| 0),
        HotcellCommand::Profile(command) => command.execute().map(|()| 0),
        HotcellCommand::Bench(command) => command.execute(),
        HotcellCommand::Build(command) => command.execute().map(|()| 0),
        HotcellCommand::Import(command) => command.execute(),
        HotcellCommand::New(command) => command.execute().map(|()| 0),
        HotcellCommand::Policy(command) => command.execute(),
        HotcellCommand::Audit(command) => command.execute(),
        HotcellCommand::Stats(command) => command.execute().map(|()| 0),
        HotcellCommand::Cache(command) => command.execute().map(|()| 0),
        HotcellCommand::Doctor(command) => command.execute(),
        HotcellCommand::Completions(command) => command.execute(Hotcell::command()).map(|()| 0),
    };
    // Whoever reaps after this process may reap nobody: it sees to its workers itself.
    hotcell_sandbox::process::end_all();
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            let code = exit::code_of(&error);
            // Nobody is there to be told that nobody is there.
            if code != say::CLOSED {
                say::tell(format_args!("hotcell: {error:#}"));
            }
            ExitCode::from(code)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Hotcell::command().debug_assert();
    }
}
