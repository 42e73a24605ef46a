//! What a guarded interpreter must not be able to do, tried by native code inside it.

use crate::exit::CommandError;
use crate::guard::interpreter::Interpreter;
use crate::hint::explain;
use anyhow::{Context, Result, anyhow};
use bytes::Bytes;
use hotcell::guarded::GuardProfile;
use hotcell::layer::{LayerReport, Tier};
use hotcell::outcome::{Outcome, OutcomeKind};
use hotcell::{Cell, GuardCall, GuardSettings, StopSignal};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::sync::Arc;

/// Attempts that end the process where its kernel has that entry: each in a process of its own, whose end is a refusal.
const ENDS: [&str; 4] = ["x32-socket", "x32-open", "i386-socket", "i386-open"];
/// What a program ends with that an attempt has executed.
const EXECUTED: &str = "exit code 200";

/// What was found out of a guarded interpreter.
#[derive(Serialize)]
pub(crate) struct GuardDiagnosis {
    pub(crate) interpreter: String,
    pub(crate) profiles: Vec<GuardProfile>,
    pub(crate) tier: Tier,
    pub(crate) layers: Vec<LayerReport>,
    pub(crate) attacks: Vec<Attack>,
}

/// An attempt, and what came of it.
#[derive(Serialize)]
pub(crate) struct Attack {
    pub(crate) name: String,
    pub(crate) group: String,
    /// What it is, for people.
    pub(crate) what: String,
    pub(crate) succeeded: bool,
    /// The error that it was answered with, or what it got.
    pub(crate) detail: String,
}

impl GuardDiagnosis {
    /// Those that succeeded.
    pub(crate) fn holes(&self) -> impl Iterator<Item = &Attack> {
        self.attacks.iter().filter(|attack| attack.succeeded)
    }
}

/// Has an interpreter try.
pub(crate) fn diagnose(cell: &Cell, python: &str) -> Result<GuardDiagnosis> {
    let interpreter =
        Interpreter::ask(python).map_err(|error| CommandError::of(OutcomeKind::Usage, error))?;
    let profiles = GuardProfile::ALL.to_vec();
    let targets = Targets::new().context("nothing to attack could be set up")?;
    let mut found = GuardDiagnosis {
        interpreter: interpreter.executable.display().to_string(),
        profiles: profiles.clone(),
        tier: Tier::Full,
        layers: Vec::new(),
        attacks: Vec::new(),
    };
    let runs = [vec![]].into_iter().chain(ENDS.map(|name| vec![name]));
    for only in runs {
        let program = json!({
            "attacks": targets.scene(),
            "only": only,
            "but": ENDS,
        });
        let guard = cell.guard(GuardSettings {
            interpreter: interpreter.executable.clone(),
            arguments: interpreter.arguments.iter().map(Into::into).collect(),
            profiles: profiles.clone(),
            read: interpreter.read.clone(),
            write: Vec::new(),
            setup: interpreter.setup(&BTreeMap::new(), program),
            tenant: hotcell::Tenant::default(),
            has_spare: false,
        });
        let ended = guard.call(call(), &StopSignal::default());
        if let Some(walls) = ended.report.walls {
            found.tier = found.tier.min(walls.tier);
            found.layers = walls.guarded;
        }
        match (ended.returned, only.first()) {
            (Some(returned), _) => found.attacks.extend(read(&returned.text)?),
            (None, Some(name)) => found.attacks.push(ended_by(name, &ended.outcome)),
            (None, None) => {
                let last = ended
                    .report
                    .log
                    .last()
                    .map_or("", |line| line.message.as_str());
                let words = anyhow!("{}; what it tried last: {last}", explain(&ended.outcome));
                return Err(CommandError::of(ended.outcome.kind, words));
            }
        }
    }
    Ok(found)
}

fn call() -> GuardCall {
    GuardCall {
        function: "doctor".to_owned(),
        path: None,
        function_pickle: Bytes::new(),
        arguments_pickle: Bytes::new(),
        buffers: Vec::new(),
        arrays: Vec::new(),
        limits: BTreeMap::from([(hotcell::limit::Limit::Timeout, 60_000_000_000)]),
        stop_grace: GuardCall::DEFAULT_STOP_GRACE,
        caller: hotcell::Caller::default(),
        observer: Arc::new(()),
        ticket: None,
    }
}

/// One that ended the process.
fn ended_by(name: &str, outcome: &Outcome) -> Attack {
    Attack {
        name: name.to_owned(),
        group: "kernel".to_owned(),
        what: "make a call by an entry of the kernel's for other programs".to_owned(),
        succeeded: outcome.message.contains(EXECUTED),
        detail: outcome.message.clone(),
    }
}

/// What the interpreter says of its attempts: rows of name, group, what it is, whether it succeeded, and a detail. Its word, of
/// a process that nobody has taken over.
fn read(text: &str) -> Result<Vec<Attack>> {
    let value: Value = serde_json::from_str(text)?;
    let text = |row: &Value, at: usize| row.get(at).and_then(Value::as_str).map(str::to_owned);
    // Lists begin with what they stand for.
    let rows = value.as_array().into_iter().flatten().skip(1);
    let attacks = rows.map(|row| {
        Some(Attack {
            name: text(row, 1)?,
            group: text(row, 2)?,
            what: text(row, 3)?,
            succeeded: row.get(4)?.as_bool()?,
            detail: text(row, 5)?,
        })
    });
    let attacks: Option<Vec<Attack>> = attacks.collect();
    attacks.context("the guarded interpreter says something else than what came of its attempts")
}

/// What there is to be attacked: a file, a socket, a port.
struct Targets {
    secret: tempfile::NamedTempFile,
    _socket: UnixListener,
    abstract_name: String,
    listener: TcpListener,
    token: String,
}

impl Targets {
    fn new() -> std::io::Result<Self> {
        let token = hotcell::new_run_id().to_string();
        let mut secret = tempfile::NamedTempFile::new()?;
        writeln!(secret, "secret {token}")?;
        let abstract_name = format!("hotcell-doctor-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&abstract_name)?;
        Ok(Self {
            secret,
            _socket: UnixListener::bind_addr(&address)?,
            abstract_name,
            listener: TcpListener::bind(("127.0.0.1", 0))?,
            token,
        })
    }

    fn scene(&self) -> Value {
        json!({
            "supervisor": std::process::id(),
            "secret": self.secret.path(),
            "abstract": self.abstract_name,
            "port": self.listener.local_addr().map_or(0, |address| address.port()),
            "others": [],
            "token": self.token,
        })
    }
}
