//! `hotcell serve`

use crate::connect::default_socket;
use crate::exit::CommandError;
use crate::host::{IsolationArguments, PolicyFileArgument, places};
use crate::say::tell;
use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use hotcell::outcome::OutcomeKind;
use hotcell::{Places, Tier};
use hotcell_desk::budgets;
use hotcell_desk::record::{self, watch_settings};
use hotcell_ledger::Ledger;
use hotcell_manifest::units::parse_duration;
use hotcell_model::text::escape;
use hotcell_policy::record::MetricsRules;
use hotcell_policy::{BUILT_IN, FilePolicy};
use hotcell_serve::systemd::{self, State};
use hotcell_serve::{Server, ServerError, Setup, Web};
use hotcell_watch::{LogSink, Watcher};
use rustix::fs::Mode;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Serve launches to the tenants of this machine, behind a Unix socket.
///
/// Who somebody is, the operating system says, and which tenant that is, the policy. Arrays travel in memory, not through
/// the socket. SIGHUP reads the policy again; SIGTERM and Ctrl-C end it, once launches have ended.
#[derive(Args)]
pub(crate) struct ServeCommand {
    /// Where clients connect [default: /run/hotcell/hotcell.sock for root, hotcell/hotcell.sock below $XDG_RUNTIME_DIR for
    /// others]; where systemd has opened sockets, those are served and no other
    #[arg(long, value_name = "FILE")]
    socket: Option<PathBuf>,
    /// Who may connect, as an octal mode of the socket; whom of them it serves, the policy says
    #[arg(long, value_name = "MODE", default_value = "0600", value_parser = mode)]
    mode: Mode,
    /// How long launches may go on once the daemon is to end; then they are cancelled
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = parse_duration)]
    drain: Duration,
    #[command(flatten)]
    policy: PolicyFileArgument,
    #[command(flatten)]
    isolation: IsolationArguments,
}

fn mode(text: &str) -> Result<Mode> {
    let bits = u32::from_str_radix(text, 8)
        .ok()
        .filter(|bits| *bits <= 0o777);
    let bits = bits.with_context(|| {
        format!("`{text}` is no mode: write three octal digits, 660 for example")
    })?;
    Ok(Mode::from_raw_mode(bits))
}

impl ServeCommand {
    /// Serves until a signal says that it is enough.
    pub(crate) fn execute(self) -> Result<()> {
        // From here on a signal is heard, and ends nothing by itself.
        let signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
        let (policy, builder) = match self.policy.load()? {
            Some(policy) => {
                let builder = self.isolation.within(&policy)?;
                (policy, builder)
            }
            None => (built_in()?, self.isolation.builder(Tier::Full)),
        };
        let places = places()?;
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&places.state)
            .with_context(|| format!("cannot make {}", places.state.display()))?;
        let ledger = Ledger::open(budgets::path(&places))
            .context("the budgets of tenants cannot be kept")?;
        let watcher = self.watcher(&policy, &places)?;
        let audit = record::daemon_log(policy.audit(), &places, &watcher)
            .map_err(|error| CommandError::of(OutcomeKind::HostFault, error))?;
        let web = web(policy.metrics())?;
        let socket = OwnSocket::open(&self)?;
        let cell = builder.spares(true).cache(places);
        let name = policy.name().to_owned();
        let server = Server::new(Setup {
            cell,
            policy,
            ledger,
            listeners: socket.listeners,
            watcher,
            audit,
            web,
        });
        let server = server.map_err(|error| match error {
            error @ ServerError::Io(_) => CommandError::of(OutcomeKind::HostFault, error),
            error @ ServerError::Cell(_) => CommandError::of(OutcomeKind::Isolation, error),
        })?;
        let drain = self.drain;
        let heard = Arc::clone(&server);
        std::thread::Builder::new()
            .name("hotcell-signals".to_owned())
            .spawn(move || self.listen(&heard, signals))?;
        tell(format_args!(
            "hotcell: serving at {}, under {name}",
            socket.place
        ));
        systemd::tell(State::Ready);
        let file = socket.file;
        let served = server.serve(drain, || {
            systemd::tell(State::Stopping);
            drop(file);
        });
        served.map_err(|error| CommandError::of(OutcomeKind::HostFault, error))
    }

    /// Who watches, and tells of alerts.
    fn watcher(&self, policy: &FilePolicy, places: &Places) -> Result<Arc<Watcher>> {
        let settings = watch_settings(Some(policy), Some(places), Some(log_sink()))
            .map_err(|error| CommandError::of(OutcomeKind::Io, error))?;
        let watcher = record::watcher(settings);
        let watcher = watcher.map_err(|error| CommandError::of(OutcomeKind::Usage, error))?;
        Ok(Arc::new(watcher))
    }

    /// Does what signals say.
    fn listen(&self, server: &Server, mut signals: Signals) {
        let mut is_stopping = false;
        for signal in &mut signals {
            match signal {
                SIGHUP => {
                    systemd::tell(State::Reloading);
                    match self.reload(server) {
                        Ok(name) => tell(format_args!("hotcell: from now on under {name}")),
                        Err(error) => tell(format_args!(
                            "hotcell: the policy stays as it was: {error:#}"
                        )),
                    }
                    systemd::tell(State::Ready);
                }
                _ if is_stopping => {
                    hotcell_sandbox::process::end_all();
                    std::process::exit(i32::from(OutcomeKind::Cancelled.exit_code()));
                }
                _ => {
                    is_stopping = true;
                    tell(
                        "hotcell: ending; launches that run may go on for a while, and a second signal ends them",
                    );
                    server.stop();
                }
            }
        }
    }

    fn reload(&self, server: &Server) -> Result<String> {
        let policy = match self.policy.load()? {
            Some(policy) => policy,
            None => built_in()?,
        };
        let name = policy.name().to_owned();
        server.reload(policy)?;
        Ok(name)
    }
}

/// Where figures are shown, by the policy.
fn web(rules: &MetricsRules) -> Result<Option<Web>> {
    let Some(address) = rules.listen else {
        return Ok(None);
    };
    let bound = Web::bind(address, rules.page)
        .with_context(|| format!("cannot show metrics at {address}"))
        .map_err(|error| CommandError::of(OutcomeKind::Io, error))?;
    let place = bound.address()?;
    match rules.page {
        true => tell(format_args!(
            "hotcell: metrics are at http://{place}/metrics, and a page for people at http://{place}/"
        )),
        false => tell(format_args!(
            "hotcell: metrics are at http://{place}/metrics"
        )),
    }
    Ok(Some(bound))
}

/// The policy where there is none.
fn built_in() -> Result<FilePolicy> {
    FilePolicy::read("the built-in policy", BUILT_IN)
        .map_err(|error| CommandError::of(OutcomeKind::HostFault, error))
}

/// The sockets that are served.
struct OwnSocket {
    listeners: Vec<UnixListener>,
    /// Where they are, in words.
    place: String,
    file: Option<SocketFile>,
}

impl OwnSocket {
    fn open(command: &ServeCommand) -> Result<Self> {
        let given = systemd::listeners();
        let given = given.map_err(|error| CommandError::of(OutcomeKind::Usage, error))?;
        if !given.is_empty() {
            return Ok(Self {
                place: format!("{} sockets from systemd", given.len()),
                listeners: given,
                file: None,
            });
        }
        let path = command.socket.clone().unwrap_or_else(default_socket);
        let listener = bind(&path, command.mode, command.socket.is_none());
        let listener = listener.map_err(|error| CommandError::of(OutcomeKind::Io, error))?;
        let found = path.symlink_metadata()?;
        Ok(Self {
            listeners: vec![listener],
            place: path.display().to_string(),
            file: Some(SocketFile {
                inode: (found.dev(), found.ino()),
                path,
            }),
        })
    }
}

/// A socket's file, removed at the end if it is still that one.
struct SocketFile {
    path: PathBuf,
    inode: (u64, u64),
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let found = self.path.symlink_metadata();
        if found.is_ok_and(|found| (found.dev(), found.ino()) == self.inode) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Listens there. What a daemon left that is gone is removed; nothing else is.
fn bind(path: &Path, mode: Mode, is_default: bool) -> Result<UnixListener> {
    let at = || path.display().to_string();
    if let Some(folder) = path.parent().filter(|_| is_default) {
        let made = std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(folder);
        made.with_context(|| {
            format!(
                "cannot make {}; --socket names another place",
                folder.display()
            )
        })?;
    }
    if let Ok(found) = path.symlink_metadata() {
        if !found.file_type().is_socket() {
            bail!(
                "{} is there, and is no socket: --socket names another place",
                at()
            );
        }
        match UnixStream::connect(path) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                std::fs::remove_file(path)
                    .with_context(|| format!("cannot remove the old {}", at()))?;
            }
            Ok(_) => bail!("a daemon serves at {} already", at()),
            Err(error) => {
                return Err(anyhow!(error)
                    .context(format!("cannot tell whether anybody serves at {}", at())));
            }
        }
    }
    // Whom the mode keeps out, never has a moment in which it does not.
    let before = rustix::process::umask(Mode::from_raw_mode(!mode.bits() & 0o777));
    let bound = UnixListener::bind(path);
    rustix::process::umask(before);
    bound.with_context(|| format!("cannot listen at {}", at()))
}

/// The daemon's standard error as a sink of alerts.
fn log_sink() -> LogSink {
    Arc::new(|line| tell(format_args!("hotcell: {}", escape(line, 4096))))
}
