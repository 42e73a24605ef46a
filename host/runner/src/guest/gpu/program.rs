//! Kernels and what they are bound to.

use super::fault::{GpuCallFailure, misuse};
use super::handles::{BindSet, Kernel};
use super::line::Line;
use super::types::{Binding, Constant};
use crate::guest::Guest;
use crate::guest::imports::Store;
use hotcell_model::gpu::{GpuCommand, GpuError, GpuShader};
use hotcell_model::limit::Limit;
use wasmtime::AsContextMut;
use wasmtime::component::{Lift, Resource, WasmList, WasmStr};

/// The longest name of a shader, an entry point or a constant.
const NAME_BYTES: usize = 128;
/// The most constants of one kernel. With their names they fit one frame.
const MAX_CONSTANTS: usize = 256;
/// The most bindings of one kernel: more than any device has.
const MAX_BINDINGS: usize = 64;

/// Admits an entry point of a shader of the component.
pub(super) fn create_kernel(
    store: &mut Store<'_>,
    shader: &WasmStr,
    entry: &WasmStr,
    constants: &WasmList<Constant>,
) -> Result<Kernel, GpuCallFailure> {
    let shader = name(store, shader)?;
    make_kernel(store, entry, constants, |_| Ok(GpuShader::Named(shader)))
}

/// Admits an entry point of a WGSL module that the guest has made.
pub(super) fn create_kernel_of_text(
    store: &mut Store<'_>,
    wgsl: &WasmStr,
    entry: &WasmStr,
    constants: &WasmList<Constant>,
) -> Result<Kernel, GpuCallFailure> {
    let text = text(store, wgsl)?;
    make_kernel(store, entry, constants, |line| {
        send_text(line, text)?;
        Ok(GpuShader::Said)
    })
}

fn make_kernel(
    store: &mut Store<'_>,
    entry: &WasmStr,
    constants: &WasmList<Constant>,
    shader: impl FnOnce(&Line) -> Result<GpuShader, GpuCallFailure>,
) -> Result<Kernel, GpuCallFailure> {
    let entry = name(store, entry)?;
    let constants = lift(store, constants, MAX_CONSTANTS, "constants")?
        .iter()
        .map(|constant| Ok((name(store, &constant.name)?, constant.value)))
        .collect::<Result<_, GpuCallFailure>>()?;
    let line = store.data().capabilities.gpu.line()?;
    let (held, workgroup_size) = line.kernel(GpuCommand::CreateKernel {
        shader: shader(&line)?,
        entry,
        constants,
    })?;
    Ok(Kernel {
        held,
        workgroup_size,
    })
}

/// The WGSL, measured before it is copied.
fn text(store: &Store<'_>, wgsl: &WasmStr) -> Result<String, GpuCallFailure> {
    let text = wgsl.to_str(store)?;
    let (requested, maximum) = (
        text.len() as u64,
        store.data().meter.limits.get(Limit::GpuShaderBytes),
    );
    if requested > maximum {
        return Err(GpuCallFailure::Refused(GpuError::Limit {
            limit: Limit::GpuShaderBytes,
            requested,
            maximum,
        }));
    }
    Ok(text.into_owned())
}

fn name(store: &Store<'_>, name: &WasmStr) -> Result<String, GpuCallFailure> {
    let name = name.to_str(store)?;
    if name.len() > NAME_BYTES {
        let len = name.len();
        let message = format!("a name of {len} bytes, at most {NAME_BYTES} are allowed");
        return Err(misuse(message));
    }
    Ok(name.into_owned())
}

/// The elements of a list that is not too long.
pub(super) fn lift<T: Lift>(
    store: &mut Store<'_>,
    list: &WasmList<T>,
    most: usize,
    what: &str,
) -> Result<Vec<T>, GpuCallFailure> {
    if list.len() > most {
        let len = list.len();
        return Err(misuse(format!("{len} {what}, at most {most} are allowed")));
    }
    let elements = list.iter(store.as_context_mut())?;
    Ok(elements.collect::<wasmtime::Result<_>>()?)
}

/// Tells the session the text, in pieces that end between characters.
fn send_text(line: &Line, mut text: String) -> Result<(), GpuCallFailure> {
    let most = line.link().piece_bytes().max(char::MAX_LEN_UTF8);
    while text.len() > most {
        let rest = text.split_off(text.floor_char_boundary(most));
        line.done(GpuCommand::Shader(text))?;
        text = rest;
    }
    line.done(GpuCommand::Shader(text))
}

/// Binds buffers to a kernel.
pub(super) fn bind(
    store: &mut Store<'_>,
    kernel: &Resource<Kernel>,
    bindings: &WasmList<Binding>,
) -> Result<BindSet, GpuCallFailure> {
    let bindings = lift(store, bindings, MAX_BINDINGS, "bindings")?;
    let guest: &Guest = store.data();
    let bindings = bindings
        .iter()
        .map(|binding| Ok(binding.to(guest.handles.get(&binding.buffer)?)))
        .collect::<Result<_, GpuCallFailure>>()?;
    let kernel = guest.handles.get(kernel)?.held.id();
    let line = guest.capabilities.gpu.line()?;
    let held = line.created(GpuCommand::Bind { kernel, bindings })?;
    Ok(BindSet(held))
}
