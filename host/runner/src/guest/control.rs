//! The capability `control`: whether the guest is asked to stop, and how far it is.

use super::Guest;
use super::imports::Store;
use hotcell_model::grant::Capability;
use std::time::Instant;
use wasmtime::Result;
use wasmtime::component::LinkerInstance;

pub(super) fn link(interface: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    interface.func_wrap("should-stop", |mut store: Store<'_>, (): ()| {
        store.data_mut().charge_granted_call(Capability::Control)?;
        let meter = &store.data().meter;
        Ok((meter.deadline.should_stop(&meter.signal, Instant::now()),))
    })?;
    interface.func_wrap(
        "progress",
        |mut store: Store<'_>, (done, total): (u64, u64)| {
            let guest = store.data_mut();
            guest.charge_granted_call(Capability::Control)?;
            guest.meter.progress(guest.chunk, done, total);
            Ok(())
        },
    )
}
