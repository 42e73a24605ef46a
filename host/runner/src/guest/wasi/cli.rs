//! `wasi:cli`: nothing to begin with, an output that becomes the launch's log, and an end.

use super::io::{InputStream, OutputStream};
use super::printed::Printed;
use super::resource;
use crate::guest::Guest;
use crate::guest::imports::Store;
use crate::stop::Stop;
use wasmtime::Result;
use wasmtime::component::{LinkerInstance, Resource};

/// `resource terminal-input`, of which there is none.
struct TerminalInput;

/// `resource terminal-output`, of which there is none.
struct TerminalOutput;

pub(super) fn environment(interface: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    interface.func_wrap("get-environment", |mut store: Store<'_>, (): ()| {
        store.data_mut().charge_wasi_call()?;
        Ok((Vec::<(String, String)>::new(),))
    })?;
    interface.func_wrap("get-arguments", |mut store: Store<'_>, (): ()| {
        store.data_mut().charge_wasi_call()?;
        Ok((Vec::<String>::new(),))
    })?;
    interface.func_wrap("initial-cwd", |mut store: Store<'_>, (): ()| {
        store.data_mut().charge_wasi_call()?;
        Ok((None::<String>,))
    })
}

pub(super) fn exit(interface: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    interface.func_wrap(
        "exit",
        |mut store: Store<'_>, (status,): (Result<(), ()>,)| -> Result<()> {
            store.data_mut().charge_wasi_call()?;
            Err(Stop::Exit(u8::from(status.is_err())).into())
        },
    )?;
    interface.func_wrap(
        "exit-with-code",
        |mut store: Store<'_>, (code,): (u8,)| -> Result<()> {
            store.data_mut().charge_wasi_call()?;
            Err(Stop::Exit(code).into())
        },
    )
}

pub(super) fn stdin(interface: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    interface.func_wrap("get-stdin", |mut store: Store<'_>, (): ()| {
        let guest = store.data_mut();
        guest.charge_wasi_call()?;
        Ok((guest.hold(InputStream::Ended)?,))
    })
}

pub(super) fn stdout(interface: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    interface.func_wrap("get-stdout", |mut store: Store<'_>, (): ()| {
        let guest = store.data_mut();
        guest.charge_wasi_call()?;
        Ok((guest.hold(OutputStream::Log(Printed::Output))?,))
    })
}

pub(super) fn stderr(interface: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    interface.func_wrap("get-stderr", |mut store: Store<'_>, (): ()| {
        let guest = store.data_mut();
        guest.charge_wasi_call()?;
        Ok((guest.hold(OutputStream::Log(Printed::Error))?,))
    })
}

pub(super) fn terminal_input(interface: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    resource::<TerminalInput>(interface, "terminal-input")
}

pub(super) fn terminal_output(interface: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    resource::<TerminalOutput>(interface, "terminal-output")
}

pub(super) fn terminal_stdin(interface: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    interface.func_wrap("get-terminal-stdin", no_terminal::<TerminalInput>)
}

pub(super) fn terminal_stdout(interface: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    interface.func_wrap("get-terminal-stdout", no_terminal::<TerminalOutput>)
}

pub(super) fn terminal_stderr(interface: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    interface.func_wrap("get-terminal-stderr", no_terminal::<TerminalOutput>)
}

fn no_terminal<T: 'static>(mut store: Store<'_>, (): ()) -> Result<(Option<Resource<T>>,)> {
    store.data_mut().charge_wasi_call()?;
    Ok((None,))
}
