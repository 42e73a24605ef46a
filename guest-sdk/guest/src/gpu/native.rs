//! The device that a native build does not have: nothing of it can exist, so nothing can be called.

use super::batch::Step;
use super::{Binding, Error, Properties, Quota, Shader};

pub(super) enum Device {}
pub(super) enum Buffer {}
pub(super) enum Kernel {}
pub(super) enum BindSet {}
pub(super) enum Submission {}

pub(super) fn get() -> Result<Device, Error> {
    Err(Error::NoDevice)
}

pub(super) fn properties(device: &Device) -> Properties {
    match *device {}
}

pub(super) fn lower_quota(device: &Device, _: Quota, _: u64) -> Result<(), Error> {
    match *device {}
}

pub(super) fn create_kernel(device: &Device, _: &Shader, _: &str) -> Result<Kernel, Error> {
    match *device {}
}

pub(super) fn create_kernel_of_text(device: &Device, _: &Shader, _: &str) -> Result<Kernel, Error> {
    match *device {}
}

pub(super) fn create_buffer(device: &Device, _: u64) -> Result<Buffer, Error> {
    match *device {}
}

pub(super) fn run(device: &Device, _: &[Step<'_>]) -> Result<(), Error> {
    match *device {}
}

pub(super) fn submit(device: &Device, _: &[Step<'_>]) -> Result<Submission, Error> {
    match *device {}
}

pub(super) fn wait(submission: Submission) -> Result<(), Error> {
    match submission {}
}

pub(super) fn size_bytes(buffer: &Buffer) -> u64 {
    match *buffer {}
}

pub(super) fn write(buffer: &Buffer, _: u64, _: &[u8]) -> Result<(), Error> {
    match *buffer {}
}

pub(super) fn read(buffer: &Buffer, _: u64, _: u32) -> Result<Vec<u8>, Error> {
    match *buffer {}
}

pub(super) fn workgroup_size(kernel: &Kernel) -> [u32; 3] {
    match *kernel {}
}

pub(super) fn bind(kernel: &Kernel, _: &[Binding<'_>]) -> Result<BindSet, Error> {
    match *kernel {}
}
