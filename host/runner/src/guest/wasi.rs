//! The capability `wasi`: WASI 0.2 as the standard libraries of Rust and C use it, and what of it reaches anything.
//!
//! | package | what a guest finds |
//! |---|---|
//! | `cli` | no arguments, no environment, no working directory, an input at its end; what it prints becomes lines of its log; to exit ends the launch |
//! | `clocks` | the time of the capability `clock`, counted from 1970; without it a time that only sleeping moves |
//! | `random` | the bytes of the capability `random`; without it those of the request's seed, or of none |
//! | `filesystem` | the directories of the capability `files`; without it none |
//! | `io` | streams over these, which are always ready |
//!
//! Registered by hand, as all that a guest can call: every call is charged before it does anything, every size before it
//! is allocated, and what the guest passes is looked at where it lies. A component that imports none of it is linked with
//! none of it.

mod cli;
mod clocks;
mod filesystem;
mod io;
mod lines;
mod printed;
mod random;
mod types;

use super::Guest;
use super::random::Random;
use crate::stop::Stop;
use hotcell_model::grant::Capability;
use hotcell_model::limit::{Amount, Breach, Limit};
use hotcell_model::wasi::{self, VERSION};
use lines::Lines;
use wasmtime::component::{Component, Linker, LinkerInstance, Resource, ResourceType};
use wasmtime::{Engine, Result};

/// What one instance keeps between calls.
#[derive(Default)]
pub(crate) struct WasiState {
    output: Lines,
    error: Lines,
    /// How long it has slept, where it has no clock.
    slept_ns: u64,
    /// What random bytes come from without the capability `random`: made when they are first asked for.
    seeded: Option<Random>,
}

/// Whether a component imports any of it.
pub(crate) fn is_imported(component: &Component, engine: &Engine) -> bool {
    let ty = component.component_type();
    ty.imports(engine).any(|(name, _)| wasi::is_wasi(name))
}

/// Registers every interface, in the version that serves all that are compatible with it.
pub(crate) fn link(linker: &mut Linker<Guest>) -> Result<()> {
    let mut link = |interface: &str, link: fn(&mut LinkerInstance<'_, Guest>) -> Result<()>| {
        link(&mut linker.instance(&format!("wasi:{interface}@{VERSION}.0"))?)
    };
    link("io/error", io::error)?;
    link("io/poll", io::poll)?;
    link("io/streams", io::streams)?;
    link("clocks/monotonic-clock", clocks::monotonic)?;
    link("clocks/wall-clock", clocks::wall)?;
    link("random/random", random::random)?;
    link("random/insecure", random::insecure)?;
    link("random/insecure-seed", random::insecure_seed)?;
    link("cli/environment", cli::environment)?;
    link("cli/exit", cli::exit)?;
    link("cli/stdin", cli::stdin)?;
    link("cli/stdout", cli::stdout)?;
    link("cli/stderr", cli::stderr)?;
    link("cli/terminal-input", cli::terminal_input)?;
    link("cli/terminal-output", cli::terminal_output)?;
    link("cli/terminal-stdin", cli::terminal_stdin)?;
    link("cli/terminal-stdout", cli::terminal_stdout)?;
    link("cli/terminal-stderr", cli::terminal_stderr)?;
    link("filesystem/types", filesystem::types)?;
    link("filesystem/preopens", filesystem::preopens)
}

impl Guest {
    /// Counts one call of WASI's.
    fn charge_wasi_call(&mut self) -> Result<(), Stop> {
        self.charge_granted_call(Capability::Wasi)
    }

    /// A handle for the guest.
    fn hold<T: Send + 'static>(&mut self, value: T) -> Result<Resource<T>, Stop> {
        self.handles.push(value).map_err(|_| {
            let maximum = self.meter.limits.get(Limit::Handles);
            Stop::Limit(Breach {
                limit: Limit::Handles,
                amount: Amount::Requested(maximum.saturating_add(1)),
                maximum,
            })
        })
    }
}

/// Registers a resource whose values are of that type.
fn resource<T: Send + 'static>(
    interface: &mut LinkerInstance<'_, Guest>,
    name: &str,
) -> Result<()> {
    interface.resource(name, ResourceType::host::<T>(), |mut store, rep| {
        let handles = &mut store.data_mut().handles;
        handles.delete(Resource::<T>::new_own(rep))?;
        Ok(())
    })
}
