//! The capability `clock`: the time since the launch began, quantised.

use super::Guest;
use super::imports::Store;
use crate::meter::Meter;
use hotcell_model::grant::Capability;
use hotcell_model::time::nanoseconds;
use wasmtime::Result;
use wasmtime::component::LinkerInstance;

/// What `elapsed-ns` is rounded down to.
pub(super) const CLOCK_QUANTUM_NS: u64 = 1_000_000;

pub(super) fn link(interface: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    interface.func_wrap("elapsed-ns", |mut store: Store<'_>, (): ()| {
        store.data_mut().charge_granted_call(Capability::Clock)?;
        Ok((elapsed_ns(&store.data().meter),))
    })
}

/// The time since the launch began, as a guest may know it.
pub(super) fn elapsed_ns(meter: &Meter) -> u64 {
    let elapsed = nanoseconds(meter.deadline.started.elapsed());
    elapsed - elapsed % CLOCK_QUANTUM_NS
}
