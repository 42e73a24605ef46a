//! The device of a component: the SDK's types to the lowered ones of `wit/gpu`, and back.

use super::batch::{Place, Step};
use super::{Binding, Error, Properties, Quota, Shader};
use crate::abi::gpu as wit;

pub(super) use crate::abi::gpu::get;
pub(super) use wit::{BindSet, Buffer, Device, Kernel, Submission};

pub(super) fn properties(device: &Device) -> Properties {
    let offered = device.properties();
    Properties {
        has_subgroups: offered.has_subgroups != 0,
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
    device.lower_quota(quota, value)
}

pub(super) fn create_kernel(
    device: &Device,
    shader: &Shader,
    entry: &str,
) -> Result<Kernel, Error> {
    device.create_kernel(shader.file(), entry, &constants(shader))
}

/// As [`create_kernel`], of WGSL that is in no section: whoever calls this has the component import `hotcell:gpu/text`.
pub(super) fn create_kernel_of_text(
    device: &Device,
    shader: &Shader,
    entry: &str,
) -> Result<Kernel, Error> {
    wit::text::create_kernel(device, shader.source(), entry, &constants(shader))
}

fn constants(shader: &Shader) -> Vec<wit::Constant<'static>> {
    let constant = |&(name, value): &(&'static str, f64)| wit::Constant {
        name: name.into(),
        value,
    };
    shader.constants().iter().map(constant).collect()
}

pub(super) fn create_buffer(device: &Device, size_bytes: u64) -> Result<Buffer, Error> {
    device.create_buffer(size_bytes)
}

pub(super) fn run(device: &Device, steps: &[Step<'_>]) -> Result<(), Error> {
    device.run(&commands(steps)?)
}

pub(super) fn submit(device: &Device, steps: &[Step<'_>]) -> Result<Submission, Error> {
    device.submit(&commands(steps)?)
}

pub(super) fn wait(submission: Submission) -> Result<(), Error> {
    submission.wait()
}

pub(super) fn size_bytes(buffer: &Buffer) -> u64 {
    buffer.size_bytes()
}

pub(super) fn write(buffer: &Buffer, offset_bytes: u64, bytes: &[u8]) -> Result<(), Error> {
    buffer.write(offset_bytes, bytes)
}

pub(super) fn read(buffer: &Buffer, offset_bytes: u64, len_bytes: u32) -> Result<Vec<u8>, Error> {
    buffer.read(offset_bytes, len_bytes)
}

pub(super) fn workgroup_size(kernel: &Kernel) -> [u32; 3] {
    kernel.workgroup_size()
}

pub(super) fn bind(kernel: &Kernel, bindings: &[Binding<'_>]) -> Result<BindSet, Error> {
    let bindings: Vec<wit::Binding<'_>> = bindings.iter().map(binding).collect();
    kernel.bind(&bindings)
}

fn binding<'a>(binding: &Binding<'a>) -> wit::Binding<'a> {
    wit::Binding {
        group: binding.group,
        slot: binding.slot,
        buffer: (&binding.buffer.0).into(),
        offset_bytes: binding.offset_bytes,
        has_len: binding.len_bytes.is_some().into(),
        len_bytes: binding.len_bytes.unwrap_or_default(),
    }
}

/// The steps as the host takes them.
fn commands<'s>(steps: &[Step<'s>]) -> Result<Vec<wit::Command<'s>>, Error> {
    steps.iter().map(command).collect()
}

fn command<'s>(step: &Step<'s>) -> Result<wit::Command<'s>, Error> {
    Ok(match *step {
        Step::Dispatch {
            bind_set,
            workgroups,
        } => wit::Command::dispatch(wit::Dispatch {
            bind_set: bind_set.into(),
            workgroups,
        }),
        Step::Copy {
            source,
            destination,
            len_bytes,
        } => wit::Command::copy(copy(source, destination, len_bytes)),
        Step::Fill {
            source,
            source_offset_bytes,
            destination,
            len_bytes,
        } => wit::Command::fill(wit::Fill {
            source: source.0.ok_or_else(not_the_hosts)?,
            source_offset_bytes,
            destination: destination.buffer.into(),
            destination_offset_bytes: destination.offset_bytes,
            len_bytes,
        }),
        Step::Read {
            source,
            destination,
            destination_offset_bytes,
            len_bytes,
        } => wit::Command::read_array(wit::ReadArray {
            source: source.buffer.into(),
            source_offset_bytes: source.offset_bytes,
            destination: destination.0.ok_or_else(not_the_hosts)?,
            destination_offset_bytes,
            len_bytes,
        }),
        Step::Clear { place, len_bytes } => wit::Command::clear(wit::Clear {
            buffer: place.buffer.into(),
            offset_bytes: place.offset_bytes,
            len_bytes,
        }),
    })
}

fn copy<'s>(source: Place<'s>, destination: Place<'s>, len_bytes: u64) -> wit::Copied<'s> {
    wit::Copied {
        source: source.buffer.into(),
        source_offset_bytes: source.offset_bytes,
        destination: destination.buffer.into(),
        destination_offset_bytes: destination.offset_bytes,
        len_bytes,
    }
}

fn not_the_hosts() -> Error {
    let reason = "a batch moves the launch's own arrays; write slices with `Buffer::write`";
    Error::Misuse(reason.to_owned())
}
