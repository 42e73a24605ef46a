//! The device of a component: the SDK's types to the generated ones of `wit/gpu`, and back.

use super::batch::{Place, Step};
use super::{Binding, Error, Properties, Quota, Shader};
use crate::bindings::gpu::hotcell::gpu::{compute as wit, text};
use crate::bindings::hotcell::kernel::arrays::Input;
use std::cell::Ref;

pub(super) use wit::{BindSet, Buffer, Device, Kernel, Submission};

pub(super) fn get() -> Result<Device, Error> {
    Ok(wit::get_device()?)
}

pub(super) fn properties(device: &Device) -> Properties {
    let offered = device.properties();
    Properties {
        has_subgroups: offered.has_subgroups,
        min_subgroup_size: offered.min_subgroup_size,
        max_subgroup_size: offered.max_subgroup_size,
        max_workgroup_bytes: offered.max_workgroup_bytes,
        max_workgroup_invocations: offered.max_workgroup_invocations,
        max_workgroups_per_axis: offered.max_workgroups_per_axis,
        max_binding_bytes: offered.max_binding_bytes,
    }
}

pub(super) fn lower_quota(device: &Device, quota: Quota, value: u64) -> Result<(), Error> {
    let quota = match quota {
        Quota::Bytes => wit::Quota::Bytes,
        Quota::Dispatches => wit::Quota::Dispatches,
        Quota::Invocations => wit::Quota::Invocations,
        Quota::Fuel => wit::Quota::Fuel,
    };
    Ok(device.lower_quota(quota, value)?)
}

pub(super) fn create_kernel(
    device: &Device,
    shader: &Shader,
    entry: &str,
) -> Result<Kernel, Error> {
    Ok(device.create_kernel(shader.file(), entry, &constants(shader))?)
}

/// As [`create_kernel`], of WGSL that is in no section: whoever calls this has the component import `hotcell:gpu/text`.
pub(super) fn create_kernel_of_text(
    device: &Device,
    shader: &Shader,
    entry: &str,
) -> Result<Kernel, Error> {
    let (wgsl, constants) = (shader.source(), constants(shader));
    Ok(text::create_kernel(device, wgsl, entry, &constants)?)
}

fn constants(shader: &Shader) -> Vec<wit::Constant> {
    let constant = |&(name, value): &(&str, f64)| wit::Constant {
        name: name.to_owned(),
        value,
    };
    shader.constants().iter().map(constant).collect()
}

pub(super) fn create_buffer(device: &Device, size_bytes: u64) -> Result<Buffer, Error> {
    Ok(device.create_buffer(size_bytes)?)
}

pub(super) fn run(device: &Device, steps: &[Step<'_>]) -> Result<(), Error> {
    with_commands(steps, |commands| device.run(commands))
}

pub(super) fn submit(device: &Device, steps: &[Step<'_>]) -> Result<Submission, Error> {
    with_commands(steps, |commands| device.submit(commands))
}

pub(super) fn wait(submission: Submission) -> Result<(), Error> {
    Ok(submission.wait()?)
}

pub(super) fn size_bytes(buffer: &Buffer) -> u64 {
    buffer.size_bytes()
}

pub(super) fn write(buffer: &Buffer, offset_bytes: u64, bytes: &[u8]) -> Result<(), Error> {
    Ok(buffer.write(offset_bytes, bytes)?)
}

pub(super) fn read(buffer: &Buffer, offset_bytes: u64, len_bytes: u32) -> Result<Vec<u8>, Error> {
    Ok(buffer.read(offset_bytes, len_bytes)?)
}

pub(super) fn workgroup_size(kernel: &Kernel) -> [u32; 3] {
    kernel.workgroup_size().into()
}

pub(super) fn bind(kernel: &Kernel, bindings: &[Binding<'_>]) -> Result<BindSet, Error> {
    let bindings: Vec<wit::Binding<'_>> = bindings.iter().map(binding).collect();
    Ok(kernel.bind(&bindings)?)
}

fn binding<'a>(binding: &Binding<'a>) -> wit::Binding<'a> {
    wit::Binding {
        group: binding.group,
        slot: binding.slot,
        buffer: &binding.buffer.0,
        offset_bytes: binding.offset_bytes,
        len_bytes: binding.len_bytes,
    }
}

/// Calls `queue` with the steps as the host takes them. Inputs are borrowed for the call alone.
fn with_commands<T>(
    steps: &[Step<'_>],
    queue: impl FnOnce(&[wit::Command<'_>]) -> Result<T, wit::Error>,
) -> Result<T, Error> {
    let inputs = steps.iter().map(input).collect::<Result<Vec<_>, _>>()?;
    let commands = steps.iter().zip(&inputs);
    let commands = commands.map(|(step, input)| command(step, input.as_deref()));
    let commands = commands.collect::<Result<Vec<_>, _>>()?;
    Ok(queue(&commands)?)
}

/// The array that a step fills from.
fn input<'s>(step: &'s Step<'_>) -> Result<Option<Ref<'s, Input>>, Error> {
    let Step::Fill { source, .. } = step else {
        return Ok(None);
    };
    let host = source.0.ok_or_else(not_the_hosts)?;
    let handle = Ref::filter_map(host.handle(), Option::as_ref);
    handle.map(Some).map_err(|_| not_the_hosts())
}

fn command<'s>(step: &Step<'s>, input: Option<&'s Input>) -> Result<wit::Command<'s>, Error> {
    Ok(match *step {
        Step::Dispatch {
            bind_set,
            workgroups: [x, y, z],
        } => wit::Command::Dispatch(wit::Dispatch { bind_set, x, y, z }),
        Step::Copy {
            source,
            destination,
            len_bytes,
        } => wit::Command::Copy(copy(source, destination, len_bytes)),
        Step::Fill {
            source_offset_bytes,
            destination,
            len_bytes,
            ..
        } => wit::Command::Fill(wit::Fill {
            source: input.ok_or_else(not_the_hosts)?,
            source_offset_bytes,
            destination: destination.buffer,
            destination_offset_bytes: destination.offset_bytes,
            len_bytes,
        }),
        Step::Read {
            source,
            destination,
            destination_offset_bytes,
            len_bytes,
        } => wit::Command::ReadArray(wit::ReadArray {
            source: source.buffer,
            source_offset_bytes: source.offset_bytes,
            destination: destination.0.ok_or_else(not_the_hosts)?.handle(),
            destination_offset_bytes,
            len_bytes,
        }),
        Step::Clear { place, len_bytes } => wit::Command::Clear(wit::Clear {
            buffer: place.buffer,
            offset_bytes: place.offset_bytes,
            len_bytes,
        }),
    })
}

fn copy<'s>(source: Place<'s>, destination: Place<'s>, len_bytes: u64) -> wit::Copy<'s> {
    wit::Copy {
        source: source.buffer,
        source_offset_bytes: source.offset_bytes,
        destination: destination.buffer,
        destination_offset_bytes: destination.offset_bytes,
        len_bytes,
    }
}

fn not_the_hosts() -> Error {
    let reason = "a batch moves the launch's own arrays; write slices with `Buffer::write`";
    Error::Misuse(reason.to_owned())
}

impl From<wit::Error> for Error {
    fn from(error: wit::Error) -> Self {
        match error {
            wit::Error::Shader(error) => Self::Shader {
                file: String::new(),
                line: error.line,
                column: error.column,
                message: error.message,
            },
            wit::Error::Limit(error) => Self::Limit {
                name: error.name,
                requested: error.requested,
                maximum: error.maximum,
            },
            wit::Error::OutOfRange(error) => Self::OutOfRange {
                offset_bytes: error.offset_bytes,
                len_bytes: error.len_bytes,
                size_bytes: error.size_bytes,
            },
            wit::Error::Misuse(reason) => Self::Misuse(reason),
        }
    }
}
