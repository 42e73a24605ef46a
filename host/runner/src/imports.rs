//! What a guest can call: `arrays` and `failure` always, a capability's functions when it is granted.
//!
//! Every interface is linked, since a component imports what any of its entries uses; what this launch's entry
//! was not granted ends it when it is called, before anything else is done.
//!
//! All are registered by hand. Generated bindings would make owned copies of lists and strings, and so
//! let a guest make the host allocate; here the guest's bytes are viewed where they lie, every call is
//! counted before it does anything, and every size is charged before it is allocated.

use crate::arrays::{self, Input, Output, check_range};
use crate::entries::Level;
use crate::gpu;
use crate::guest::Guest;
use crate::meter::EXPLANATION_BYTES;
use crate::stop::Stop;
use bytes::Bytes;
use hotcell_model::component::PACKAGE_VERSION;
use hotcell_model::grant::Capability;
use hotcell_model::report::LogLevel;
use hotcell_model::text;
use std::time::Instant;
use wasmtime::component::{Linker, LinkerInstance, Resource, ResourceType, WasmList, WasmStr};
use wasmtime::{Engine, Result, StoreContextMut};

/// The most random bytes in one call.
const RANDOM_BYTES: u32 = 1 << 20;
/// What `elapsed-ns` is rounded down to.
const CLOCK_QUANTUM_NS: u64 = 1_000_000;

pub(crate) type Store<'a> = StoreContextMut<'a, Guest>;

/// A linker with every interface of this host.
pub(crate) fn linker(engine: &Engine) -> Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    link_arrays(&mut interface(&mut linker, "hotcell:kernel/arrays")?)?;
    failure(&mut interface(&mut linker, "hotcell:kernel/failure")?)?;
    for capability in Capability::ALL {
        let mut interface = interface(&mut linker, capability.interface())?;
        match capability {
            Capability::Log => log(&mut interface)?,
            Capability::Control => control(&mut interface)?,
            Capability::Clock => clock(&mut interface)?,
            Capability::Random => random(&mut interface)?,
            Capability::Gpu => gpu::link(&mut interface)?,
            Capability::GpuText => gpu::link_text(&mut interface)?,
        }
    }
    Ok(linker)
}

fn interface<'a>(linker: &'a mut Linker<Guest>, name: &str) -> Result<LinkerInstance<'a, Guest>> {
    linker.instance(&format!("{name}@{PACKAGE_VERSION}"))
}

fn link_arrays(interface: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    interface.resource("input", ResourceType::host::<Input>(), |mut store, rep| {
        let guest = store.data_mut();
        guest.handles.delete(Resource::<Input>::new_own(rep))?;
        guest.body.input_dropped();
        Ok(())
    })?;
    interface.resource(
        "output",
        ResourceType::host::<Output>(),
        |mut store, rep| {
            store
                .data_mut()
                .handles
                .delete(Resource::<Output>::new_own(rep))?;
            Ok(())
        },
    )?;
    interface.func_wrap(
        "[method]input.read",
        |mut store: Store<'_>, (input, offset, len): (Resource<Input>, u64, u32)| {
            Ok((read(store.data_mut(), &input, offset, len)?,))
        },
    )?;
    interface.func_wrap(
        "[method]input.size-bytes",
        |mut store: Store<'_>, (input,): (Resource<Input>,)| {
            let guest = store.data_mut();
            guest.charge_host_call()?;
            Ok((guest.handles.get(&input)?.source.len_bytes(),))
        },
    )?;
    interface.func_wrap(
        "[method]output.write",
        |store: Store<'_>, (output, offset, data): (Resource<Output>, u64, WasmList<u8>)| {
            write(store, &output, offset, &data)
        },
    )?;
    interface.func_wrap(
        "[method]output.size-bytes",
        |mut store: Store<'_>, (output,): (Resource<Output>,)| {
            let guest = store.data_mut();
            guest.charge_host_call()?;
            let position = guest.handles.get(&output)?.position;
            Ok((guest.outputs[position].len() as u64,))
        },
    )
}

fn read(guest: &mut Guest, input: &Resource<Input>, offset: u64, len: u32) -> Result<Bytes> {
    guest.charge_host_call()?;
    let source = guest.handles.get(input)?.source.clone();
    check_range("read", offset, len.into(), source.len_bytes())?;
    guest.check_can_hold(len)?;
    guest.charge_bytes_in(len.into())?;
    Ok(arrays::read(
        &source,
        offset,
        len,
        guest.limiter.memory_bytes(),
        &guest.meter,
    )?)
}

fn write(
    mut store: Store<'_>,
    output: &Resource<Output>,
    offset: u64,
    data: &WasmList<u8>,
) -> Result<()> {
    let guest = store.data_mut();
    guest.body.output_written();
    guest.charge_host_call()?;
    let position = guest.handles.get(output)?.position;
    let len = data.len() as u64;
    check_range("write", offset, len, guest.outputs[position].len() as u64)?;
    guest.charge_bytes_out(len)?;
    // Taken out for the copy: the guest's memory and its state are borrowed from one store.
    let mut bytes = std::mem::take(&mut guest.outputs[position]);
    let start = arrays::as_index(offset);
    bytes.as_mut_slice()[start..start + data.len()].copy_from_slice(data.as_le_slice(&store));
    store.data_mut().outputs[position] = bytes;
    Ok(())
}

fn failure(interface: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    interface.func_wrap("explain", |mut store: Store<'_>, (message,): (WasmStr,)| {
        store.data_mut().charge_host_call()?;
        if store.data().explanation.is_none() {
            let words = text::escape(&message.to_str(&store)?, EXPLANATION_BYTES);
            store.data_mut().explanation = Some(words);
        }
        Ok(())
    })
}

fn log(interface: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    interface.func_wrap(
        "emit",
        |mut store: Store<'_>, (level, message): (Level, WasmStr)| {
            store.data_mut().charge_granted_call(Capability::Log)?;
            if !store.data_mut().note_line() {
                return Ok(());
            }
            let level = match level {
                Level::Debug => LogLevel::Debug,
                Level::Info => LogLevel::Info,
                Level::Warn => LogLevel::Warn,
                Level::Error => LogLevel::Error,
            };
            store.data().meter.log(level, &message.to_str(&store)?);
            Ok(())
        },
    )
}

fn control(interface: &mut LinkerInstance<'_, Guest>) -> Result<()> {
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

fn clock(interface: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    interface.func_wrap("elapsed-ns", |mut store: Store<'_>, (): ()| {
        store.data_mut().charge_granted_call(Capability::Clock)?;
        let meter = &store.data().meter;
        let elapsed = crate::meter::nanoseconds(meter.deadline.started.elapsed());
        Ok((elapsed - elapsed % CLOCK_QUANTUM_NS,))
    })
}

fn random(interface: &mut LinkerInstance<'_, Guest>) -> Result<()> {
    interface.func_wrap("bytes", |mut store: Store<'_>, (len,): (u32,)| {
        let guest = store.data_mut();
        guest.charge_granted_call(Capability::Random)?;
        if len > RANDOM_BYTES {
            let misuse = format!("the kernel asked for {len} random bytes at once, at most {RANDOM_BYTES} are allowed");
            return Err(Stop::Misuse(misuse).into());
        }
        guest.charge_bytes_in(len.into())?;
        let mut buffer = vec![0; len as usize];
        guest.random.fill(&mut buffer);
        Ok((Bytes::from(buffer),))
    })
}
