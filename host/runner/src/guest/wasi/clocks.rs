//! `wasi:clocks`: the time since the launch began, where `clock` is granted; else a time that only sleeping moves.

use super::io::Pollable;
use super::types::Datetime;
use crate::guest::Guest;
use crate::guest::clock::{CLOCK_QUANTUM_NS, elapsed_ns};
use crate::guest::imports::Store;
use hotcell_model::grant::Capability;
use wasmtime::Result;
use wasmtime::component::LinkerInstance;

pub(super) fn monotonic(interface: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    interface.func_wrap("now", |mut store: Store<'_>, (): ()| {
        let guest = store.data_mut();
        guest.charge_wasi_call()?;
        Ok((guest.wasi_now_ns(),))
    })?;
    interface.func_wrap("resolution", |mut store: Store<'_>, (): ()| {
        store.data_mut().charge_wasi_call()?;
        Ok((CLOCK_QUANTUM_NS,))
    })?;
    interface.func_wrap(
        "subscribe-instant",
        |mut store: Store<'_>, (when,): (u64,)| {
            let guest = store.data_mut();
            guest.charge_wasi_call()?;
            Ok((guest.hold(Pollable::At(when))?,))
        },
    )?;
    interface.func_wrap(
        "subscribe-duration",
        |mut store: Store<'_>, (when,): (u64,)| {
            let guest = store.data_mut();
            guest.charge_wasi_call()?;
            let when = guest.wasi_now_ns().saturating_add(when);
            Ok((guest.hold(Pollable::At(when))?,))
        },
    )
}

pub(super) fn wall(interface: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    interface.func_wrap("now", |mut store: Store<'_>, (): ()| {
        let guest = store.data_mut();
        guest.charge_wasi_call()?;
        Ok((Datetime::of_ns(guest.wasi_now_ns()),))
    })?;
    interface.func_wrap("resolution", |mut store: Store<'_>, (): ()| {
        store.data_mut().charge_wasi_call()?;
        Ok((Datetime::of_ns(CLOCK_QUANTUM_NS),))
    })
}

impl Guest {
    /// What its clocks show.
    pub(super) fn wasi_now_ns(&self) -> u64 {
        match self.grants.has(Capability::Clock) {
            true => elapsed_ns(&self.meter),
            false => self.capabilities.wasi.slept_ns,
        }
    }
}
