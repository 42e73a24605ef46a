//! A daemon that launches for this process.

use crate::host::{AnyReport, Arguments, Host, Launched};
use crate::launch::Described;
use crate::plan::Plan;
use hotcell::outcome::{Blame, Outcome, OutcomeKind};
use hotcell::{Component, Digest, Observer, StopSignal, Tenant};
use hotcell_model::text::chain;
use hotcell_sandbox::process::PerProcess;
use hotcell_serve::client::{Client, ClientError};
use hotcell_serve::protocol::{ComponentKept, Text};
use pyo3::exceptions::{PyConnectionError, PyPermissionError};
use pyo3::prelude::*;
use serde_json::json;
use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// The most connections that are kept while nothing is asked on them.
const IDLE: usize = 8;

/// A daemon that launches for this process.
#[pyclass(frozen, module = "hotcell._native")]
pub(crate) struct Daemon {
    remote: Arc<Remote>,
    tenant: Option<String>,
    caller: String,
    host: String,
}

/// One connection answers one question after another, and so launches that run beside each other have one each.
struct Remote {
    path: PathBuf,
    /// A fork's child has none of its parent's connections.
    own: PerProcess<Own>,
}

/// What one process has of a daemon.
#[derive(Default)]
struct Own {
    idle: Mutex<Vec<Client>>,
    /// The components that the daemon was given.
    known: Mutex<BTreeSet<[u8; 32]>>,
}

impl Daemon {
    pub(crate) fn host(&self) -> Arc<dyn Host> {
        Arc::clone(&self.remote) as Arc<dyn Host>
    }
}

#[pymethods]
impl Daemon {
    #[new]
    fn new(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let connected = py.detach(|| Client::connect(&path));
        let client = connected.map_err(|error| match &error {
            ClientError::Refused {
                kind: OutcomeKind::Denied,
                ..
            } => PyPermissionError::new_err(chain(&error)),
            _ => PyConnectionError::new_err(chain(&error)),
        })?;
        let greeting = client.greeting();
        Ok(Self {
            tenant: greeting.tenant.as_ref().map(ToString::to_string),
            caller: greeting.caller.to_string(),
            host: greeting.host.clone(),
            remote: Arc::new(Remote {
                path,
                own: PerProcess::with(Own {
                    idle: Mutex::new(vec![client]),
                    known: Mutex::default(),
                }),
            }),
        })
    }

    /// The tenant that launches are charged to; `None` if the policy knows none for this user.
    #[getter]
    fn tenant(&self) -> Option<&str> {
        self.tenant.as_deref()
    }

    /// Whom the daemon takes this process for.
    #[getter]
    fn caller(&self) -> &str {
        &self.caller
    }

    /// The daemon's name and version.
    #[getter]
    fn host_name(&self) -> &str {
        &self.host
    }

    /// What a component's manifest says, as JSON, or why it is none. `tenant` is who is charged.
    #[pyo3(signature = (component, tenant=None))]
    fn describe(
        &self,
        py: Python<'_>,
        component: &crate::component::Component,
        tenant: Option<&str>,
    ) -> PyResult<Described> {
        Described::of(py, self.host(), component, tenant)
    }
}

impl Remote {
    /// Asks on a connection of its own, and keeps that for the next one unless it broke. One that was kept may have broken
    /// long ago: where nothing could be said on it, it asks once more on a new one. What was said is not said again, for a
    /// daemon may have begun a launch that it did not live to answer.
    fn ask<T>(
        &self,
        mut work: impl FnMut(&mut Client) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        let own = self.own.get();
        let kept = lock(&own.idle).pop();
        if let Some(mut client) = kept {
            match work(&mut client) {
                Err(error) if was_unsaid(&error) => {
                    // It is another daemon now, if there is one, and knows nothing.
                    lock(&own.known).clear();
                    lock(&own.idle).clear();
                }
                result => return self.keep(client, result),
            }
        }
        let mut client = Client::connect(&self.path)?;
        let result = work(&mut client);
        self.keep(client, result)
    }

    fn keep<T>(&self, client: Client, result: Result<T, ClientError>) -> Result<T, ClientError> {
        if matches!(result, Ok(_) | Err(ClientError::Refused { .. })) {
            let mut idle = lock(&self.own.get().idle);
            if idle.len() < IDLE {
                idle.push(client);
            }
        }
        result
    }

    fn upload(
        &self,
        client: &mut Client,
        component: &Component,
    ) -> Result<ComponentKept, ClientError> {
        let kept = client.upload(component)?;
        lock(&self.own.get().known).insert(*component.digest().as_bytes());
        Ok(kept)
    }

    fn knows(&self, digest: &Digest) -> bool {
        lock(&self.own.get().known).contains(digest.as_bytes())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a question could not be sent: the daemon had hung up before.
fn was_unsaid(error: &ClientError) -> bool {
    let first: &dyn std::error::Error = error;
    let mut errors = std::iter::successors(Some(first), |error| error.source());
    errors.any(|error| {
        let error = error.downcast_ref::<io::Error>();
        error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    })
}

/// How a launch ended that the daemon did not begin.
fn outcome_of(error: &ClientError) -> Outcome {
    let (kind, blame) = match error {
        ClientError::Refused { kind, .. } => (*kind, Blame::Request),
        ClientError::Connect { .. } | ClientError::Closed | ClientError::Wire(_) => {
            (OutcomeKind::Io, Blame::Operator)
        }
        _ => (OutcomeKind::HostFault, Blame::Host),
    };
    Outcome::failed(kind, blame, chain(error))
}

/// Whether a launch ended since the daemon has no such component.
fn is_unknown(outcome: &Outcome) -> bool {
    outcome.kind == OutcomeKind::Usage && outcome.message.contains("upload it first")
}

impl Host for Remote {
    fn describe(&self, component: &Component, _tenant: Tenant) -> Result<String, Outcome> {
        let kept = self.ask(|client| self.upload(client, component));
        let kept = kept.map_err(|error| outcome_of(&error))?;
        Ok(
            json!({"name": kept.name, "version": kept.version, "kernels": kept.kernels})
                .to_string(),
        )
    }

    fn launch(
        &self,
        component: &Component,
        plan: &Plan,
        arguments: Arguments,
        observer: Option<Arc<dyn Observer>>,
        stop: &Arc<StopSignal>,
    ) -> Launched {
        let mut ask = plan.ask.clone();
        ask.component = component.digest();
        let text = |value: &dyn std::fmt::Display| Text::of(value);
        ask.scalars = arguments
            .scalars
            .iter()
            .map(|(name, value)| (name.clone(), text(value)))
            .collect();
        ask.dims = arguments
            .dims
            .iter()
            .map(|(name, extent)| (name.clone(), text(extent)))
            .collect();
        ask.events = observer.is_some();
        let inputs = || {
            arguments
                .inputs
                .iter()
                .map(|(name, array)| (name.as_str(), array))
        };
        let silent: Arc<dyn Observer> = Arc::new(());
        let observer = observer.unwrap_or(silent);
        let launched = self.ask(|client| {
            let was_known = self.knows(&ask.component);
            if !was_known {
                self.upload(client, component)?;
            }
            let launch =
                |client: &mut Client| client.launch_until(ask.clone(), inputs(), &*observer, stop);
            match launch(client) {
                // It was given to the daemon before, which has forgotten it since.
                Ok((end, _)) if was_known && is_unknown(&end.outcome) => {
                    self.upload(client, component)?;
                    launch(client)
                }
                Err(ClientError::Refused {
                    kind: OutcomeKind::Usage,
                    ..
                }) if was_known => {
                    self.upload(client, component)?;
                    launch(client)
                }
                launched => launched,
            }
        });
        match launched {
            Ok((end, results)) => Launched {
                outcome: end.outcome,
                report: end.report.map_or(AnyReport::None, AnyReport::Told),
                results,
            },
            Err(error) => Launched {
                outcome: outcome_of(&error),
                report: AnyReport::None,
                results: Vec::new(),
            },
        }
    }
}
