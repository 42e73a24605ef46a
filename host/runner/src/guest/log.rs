//! The capability `log`: lines of the guest's, bounded, escaped and attributed to it.

use super::Guest;
use super::imports::Store;
use crate::entries::EmittedLevel;
use hotcell_model::grant::Capability;
use hotcell_model::report::LogLevel;
use wasmtime::Result;
use wasmtime::component::{LinkerInstance, WasmStr};

pub(super) fn link(interface: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    interface.func_wrap(
        "emit",
        |mut store: Store<'_>, (level, message): (EmittedLevel, WasmStr)| {
            store.data_mut().charge_granted_call(Capability::Log)?;
            if !store.data_mut().note_line() {
                return Ok(());
            }
            let level = match level {
                EmittedLevel::Debug => LogLevel::Debug,
                EmittedLevel::Info => LogLevel::Info,
                EmittedLevel::Warn => LogLevel::Warn,
                EmittedLevel::Error => LogLevel::Error,
            };
            store.data().meter.log(level, &message.to_str(&store)?);
            Ok(())
        },
    )
}
