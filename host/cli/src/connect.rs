//! A launch that a daemon runs: files become arrays here, and results become files here.

use crate::command_request::{CommandRequest, Files, REDRAW, read};
use crate::exit::CommandError;
use crate::progress::Display;
use crate::say::tell;
use anyhow::{Result, anyhow};
use hotcell::outcome::{Blame, Outcome, OutcomeKind};
use hotcell::{Array, Component, Delivery, Ended, NamedArray, Tenant, Undelivered};
use hotcell_serve::client::{Client, ClientError};
use hotcell_serve::protocol::LaunchAsk;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

/// Where a daemon listens unless it is told otherwise: `/run/hotcell/hotcell.sock` where root runs it, else below the user's
/// `$XDG_RUNTIME_DIR`.
pub(crate) fn default_socket() -> PathBuf {
    let own = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let own = own.filter(|path| path.is_absolute() && !rustix::process::geteuid().is_root());
    let base = own.unwrap_or_else(|| PathBuf::from("/run"));
    base.join("hotcell").join("hotcell.sock")
}

/// A connection to the daemon at that socket, or where one is by default: the user's own, else the machine's.
pub(crate) fn connect(socket: Option<&Path>) -> Result<Client> {
    let machine = Path::new("/run/hotcell/hotcell.sock");
    let client = match socket {
        Some(socket) => Client::connect(socket),
        None => match Client::connect(default_socket()) {
            Err(ClientError::Connect { .. }) => Client::connect(machine),
            client => client,
        },
    };
    client.map_err(failed)
}

/// An error with the exit code of what is in the way.
pub(crate) fn failed(error: ClientError) -> anyhow::Error {
    let kind = match &error {
        ClientError::Refused { kind, .. } => *kind,
        ClientError::Connect { .. } => OutcomeKind::Io,
        _ => OutcomeKind::HostFault,
    };
    CommandError::of(kind, error)
}

/// Has a daemon run a launch to its end.
pub(crate) fn launch(
    socket: Option<&Path>,
    tenant: Option<&Tenant>,
    component: &Path,
    mut ask: LaunchAsk,
    command: CommandRequest,
) -> Result<Ended> {
    let unreadable = |error: anyhow::Error| CommandError::of(OutcomeKind::Io, error);
    let component = Component::read(component).map_err(|error| unreadable(error.into()))?;
    let mut client = connect(socket)?;
    let served = client.greeting().tenant.as_ref();
    if let Some(named) = tenant
        && served != Some(named)
    {
        let served = served.map_or("no tenant".to_owned(), |served| format!("`{served}`"));
        let error = anyhow!(
            "the daemon takes you for {served}, and not for `{named}`: its policy says who that is"
        );
        return Err(CommandError::of(OutcomeKind::Denied, error));
    }
    let kept = client.upload(&component).map_err(failed)?;
    ask.component = kept.digest;
    let inputs = command.inputs.iter().map(|(name, locator)| {
        let array = read(locator).map_err(|error| error.context(format!("input `{name}`")));
        Ok((name.clone(), array?))
    });
    let inputs: Vec<(String, Array)> = inputs.collect::<Result<_>>().map_err(unreadable)?;
    let files = Files {
        locators: command.outputs,
        kept: command.kept,
    };
    let (end, results) = run(&mut client, ask, &inputs, command.quiet)?;
    let Some(report) = end.report else {
        return Err(failed(ClientError::Unexpected));
    };
    let report = report.read();
    let report = report.map_err(|error| failed(ClientError::Answer(error)))?;
    let mut ended = Ended {
        samples: None,
        outcome: end.outcome,
        report,
        results,
    };
    // A daemon says them with the report.
    if !command.quiet {
        let warnings = ended.report.warnings.iter();
        warnings.for_each(|warning| tell(format_args!("hotcell: warning: {warning}")));
    }
    if ended.outcome.keeps_outputs()
        && let Err(undelivered) = deliver(&files, &ended.results)
    {
        ended.outcome = undelivered;
        ended.report.outcome = ended.outcome.clone();
    }
    Ok(ended)
}

/// Waits for a launch with a display, until its end or an interrupt.
fn run(
    client: &mut Client,
    ask: LaunchAsk,
    inputs: &[(String, Array)],
    quiet: bool,
) -> Result<(hotcell_serve::protocol::LaunchEnd, Vec<NamedArray>)> {
    let display = Display::new(quiet);
    let cancel = client.canceller();
    let asked = AtomicBool::new(false);
    let _ = ctrlc::set_handler(move || {
        if asked.swap(true, Ordering::Relaxed) {
            // The daemon cancels what nobody waits for any more.
            std::process::exit(i32::from(OutcomeKind::Cancelled.exit_code()));
        }
        cancel();
    });
    let inputs = inputs.iter().map(|(name, array)| (name.as_str(), array));
    let (ended, redraw) = mpsc::channel::<()>();
    let launched = std::thread::scope(|scope| {
        let display = &display;
        scope.spawn(move || {
            while redraw.recv_timeout(REDRAW) == Err(mpsc::RecvTimeoutError::Timeout) {
                display.tick();
            }
        });
        let launched = client.launch(ask, inputs, display);
        drop(ended);
        launched
    });
    display.finish();
    launched.map_err(failed)
}

/// Writes results to their files: all or none.
fn deliver(files: &Files, results: &[NamedArray]) -> Result<(), Outcome> {
    let types: Vec<_> = results
        .iter()
        .map(|result| (result.name.as_str(), result.array.ty()))
        .collect();
    let delivered = files
        .prepare(&types)
        .and_then(|sinks| sinks.deliver(results, &|| Ok(())));
    delivered.map_err(|undelivered: Undelivered| Outcome {
        blame: Some(Blame::Request),
        ..Outcome::from(undelivered)
    })
}
