//! The functions of `hotcell:gpu/compute` and `hotcell:gpu/text`.

use super::batch::{self, MAX_COMMANDS};
use super::fault::{GpuCallFailure, broken};
use super::handles::{BindSet, Buffer, DeviceHandle, Kernel, Submission, check_room, push};
use super::types::{Binding, Command, Constant, Error, Properties, QuotaKind};
use super::{program, transfer};
use crate::guest::Guest;
use crate::guest::imports::Store;
use hotcell_model::gpu::GpuCommand;
use hotcell_model::grant::Capability;
use wasmtime::component::{LinkerInstance, Resource, ResourceType, WasmList, WasmStr};

type Answer<T> = wasmtime::Result<(Result<T, Error>,)>;

/// Registers the interface.
pub(crate) fn link(interface: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    resource::<DeviceHandle>(interface, "device")?;
    resource::<Buffer>(interface, "buffer")?;
    resource::<Kernel>(interface, "kernel")?;
    resource::<BindSet>(interface, "bind-set")?;
    resource::<Submission>(interface, "submission")?;
    // Everything else takes a handle that comes from the device.
    interface.func_wrap("get-device", |mut store: Store<'_>, (): ()| {
        store.data_mut().check_granted(Capability::Gpu)?;
        make(store, |store| {
            store.data().capabilities.gpu.line()?.properties()?;
            Ok(DeviceHandle)
        })
    })?;
    device(interface)?;
    buffer(interface)?;
    kernel(interface)?;
    batches(interface)
}

fn resource<T: Send + 'static>(
    interface: &mut LinkerInstance<'_, Guest>,
    name: &str,
) -> wasmtime::Result<()> {
    interface.resource(name, ResourceType::host::<T>(), |mut store, rep| {
        let handles = &mut store.data_mut().handles;
        handles.delete(Resource::<T>::new_own(rep))?;
        Ok(())
    })
}

fn device(interface: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    interface.func_wrap(
        "[method]device.properties",
        |mut store: Store<'_>, (_,): (Resource<DeviceHandle>,)| {
            let guest = store.data_mut();
            guest.charge_host_call()?;
            let properties = guest.capabilities.gpu.line()?.properties();
            Ok((Properties::from(properties.map_err(end)?),))
        },
    )?;
    interface.func_wrap(
        "[method]device.lower-quota",
        |store: Store<'_>, (_, quota, value): (Resource<DeviceHandle>, QuotaKind, u64)| {
            answer(store, |store| {
                let limit = quota.into();
                let command = GpuCommand::LowerLimit { limit, value };
                store.data().capabilities.gpu.line()?.done(command)
            })
        },
    )?;
    interface.func_wrap(
        "[method]device.create-buffer",
        |store: Store<'_>, (_, size_bytes): (Resource<DeviceHandle>, u64)| {
            make(store, |store| {
                let line = store.data().capabilities.gpu.line()?;
                let held = line.created(GpuCommand::CreateBuffer { size_bytes })?;
                Ok(Buffer { held, size_bytes })
            })
        },
    )
}

fn buffer(interface: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    interface.func_wrap(
        "[method]buffer.size-bytes",
        |mut store: Store<'_>, (buffer,): (Resource<Buffer>,)| {
            let guest = store.data_mut();
            guest.charge_host_call()?;
            Ok((guest.handles.get(&buffer)?.size_bytes,))
        },
    )?;
    interface.func_wrap(
        "[method]buffer.write",
        |store: Store<'_>, (buffer, offset, data): (Resource<Buffer>, u64, WasmList<u8>)| {
            answer(store, |store| {
                transfer::write(store, &buffer, offset, &data)
            })
        },
    )?;
    interface.func_wrap(
        "[method]buffer.read",
        |store: Store<'_>, (buffer, offset, len): (Resource<Buffer>, u64, u32)| {
            answer(store, |store| {
                transfer::read(store.data_mut(), &buffer, offset, len)
            })
        },
    )
}

/// What a kernel is made of: the device, the shader by name or as text, the entry point, its constants.
type Parameters = (Resource<DeviceHandle>, WasmStr, WasmStr, WasmList<Constant>);

/// Registers the interface for shaders whose text is made at run time. Its types are those of the other.
pub(crate) fn link_text(interface: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    interface.func_wrap(
        "create-kernel",
        |store: Store<'_>, (_, wgsl, entry, constants): Parameters| {
            store.data().check_granted(Capability::GpuText)?;
            make(store, |store| {
                program::create_kernel_of_text(store, &wgsl, &entry, &constants)
            })
        },
    )
}

fn kernel(interface: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    interface.func_wrap(
        "[method]device.create-kernel",
        |store: Store<'_>, (_, shader, entry, constants): Parameters| {
            make(store, |store| {
                program::create_kernel(store, &shader, &entry, &constants)
            })
        },
    )?;
    interface.func_wrap(
        "[method]kernel.workgroup-size",
        |mut store: Store<'_>, (kernel,): (Resource<Kernel>,)| {
            let guest = store.data_mut();
            guest.charge_host_call()?;
            let [x, y, z] = guest.handles.get(&kernel)?.workgroup_size;
            Ok(((x, y, z),))
        },
    )?;
    interface.func_wrap(
        "[method]kernel.bind",
        |store: Store<'_>, (kernel, bindings): (Resource<Kernel>, WasmList<Binding>)| {
            make(store, |store| program::bind(store, &kernel, &bindings))
        },
    )
}

fn batches(interface: &mut LinkerInstance<'_, Guest>) -> wasmtime::Result<()> {
    interface.func_wrap(
        "[method]device.submit",
        |store: Store<'_>, (_, commands): (Resource<DeviceHandle>, WasmList<Command>)| {
            make(store, |store| {
                let commands = lift_commands(store, &commands)?;
                batch::submit(store.data_mut(), commands)
            })
        },
    )?;
    interface.func_wrap(
        "[method]device.run",
        |store: Store<'_>, (_, commands): (Resource<DeviceHandle>, WasmList<Command>)| {
            answer(store, |store| {
                let commands = lift_commands(store, &commands)?;
                batch::run(store.data_mut(), commands)
            })
        },
    )?;
    interface.func_wrap(
        "[method]submission.wait",
        |store: Store<'_>, (submission,): (Resource<Submission>,)| {
            answer(store, |store| batch::wait(store.data_mut(), &submission))
        },
    )
}

fn lift_commands(
    store: &mut Store<'_>,
    commands: &WasmList<Command>,
) -> Result<Vec<Command>, GpuCallFailure> {
    program::lift(store, commands, MAX_COMMANDS, "commands")
}

/// Charges a call and does it.
fn answer<T>(
    mut store: Store<'_>,
    call: impl FnOnce(&mut Store<'_>) -> Result<T, GpuCallFailure>,
) -> Answer<T> {
    store.data_mut().charge_host_call()?;
    let result = call(&mut store);
    store.data_mut().capabilities.gpu.note(&result);
    match result {
        Ok(value) => Ok((Ok(value),)),
        Err(GpuCallFailure::Refused(error)) => Ok((Err(error.into()),)),
        Err(failure) => Err(end(failure)),
    }
}

/// As [`answer`], for what gives the guest a handle.
fn make<T: Send + 'static>(
    store: Store<'_>,
    call: impl FnOnce(&mut Store<'_>) -> Result<T, GpuCallFailure>,
) -> Answer<Resource<T>> {
    answer(store, |store| {
        check_room(store.data_mut())?;
        let thing = call(store)?;
        push(store.data_mut(), thing)
    })
}

/// What ends the guest's call, and the launch with it.
fn end(failure: GpuCallFailure) -> wasmtime::Error {
    match failure {
        GpuCallFailure::Stopped(stop) => stop.into(),
        GpuCallFailure::Trapped(error) => error,
        GpuCallFailure::Refused(error) => {
            broken(&format!("the GPU session refused to answer: {error}")).into()
        }
    }
}
