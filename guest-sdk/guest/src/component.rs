//! The glue between the generated bindings and [`launch`](crate::launch): what `export!` calls in a
//! component. Only the interfaces `arrays` and `failure` are reached from here.

use crate::bindings::exports::hotcell::kernel::entries::{
    BadArgument, KernelError, Request, ScalarValue,
};
use crate::bindings::hotcell::kernel::arrays::{Input, Output};
use crate::bindings::hotcell::kernel::failure;
use crate::entry::{Entry, Scalar};
use crate::error::LaunchError;
use crate::host::{ReadArray, WriteArray};
use crate::launch::{self, Arguments};
use std::cell::RefCell;
use std::panic::PanicHookInfo;

/// Runs one launch of a component.
///
/// # Errors
/// As the WIT's `kernel-error` says.
pub fn launch(entries: &[&Entry], request: Request) -> Result<(), KernelError> {
    std::panic::set_hook(Box::new(explain));
    let sources: Vec<(String, Held)> = request
        .sources
        .into_iter()
        .map(|source| (source.name, RefCell::new(Some(source.data))))
        .collect();
    let arguments = Arguments {
        entry: &request.entry,
        dims: request
            .dims
            .iter()
            .map(|d| (d.name.as_str(), d.extent))
            .collect(),
        scalars: request
            .scalars
            .iter()
            .map(|s| (s.name.as_str(), s.value.into()))
            .collect(),
        sources: sources
            .iter()
            .map(|(name, source)| (name.as_str(), source as &dyn ReadArray))
            .collect(),
        destinations: request
            .destinations
            .iter()
            .map(|d| (d.name.as_str(), &d.data as &dyn WriteArray))
            .collect(),
        chunk: [request.chunk.start, request.chunk.len, request.chunk.total],
    };
    launch::run(entries, &arguments).map_err(KernelError::from)
}

/// The panic hook: message, file and line go to the host; the trap follows by itself.
fn explain(panic: &PanicHookInfo<'_>) {
    let message = panic.payload_as_str().unwrap_or("panic");
    match panic.location() {
        Some(location) => failure::explain(&format!(
            "{message} ({}:{})",
            location.file(),
            location.line()
        )),
        None => failure::explain(message),
    }
}

/// An input until it is given back.
type Held = RefCell<Option<Input>>;

impl ReadArray for Held {
    fn size_bytes(&self) -> u64 {
        self.borrow().as_ref().map_or(0, Input::size_bytes)
    }

    fn read(&self, offset_bytes: u64, len_bytes: u32) -> Vec<u8> {
        let input = self.borrow();
        let bytes = input
            .as_ref()
            .map(|input| input.read(offset_bytes, len_bytes));
        bytes.unwrap_or_default()
    }

    fn release(&self) {
        self.take();
    }

    #[cfg(feature = "gpu")]
    fn handle(&self) -> std::cell::Ref<'_, Option<Input>> {
        self.borrow()
    }
}

impl WriteArray for Output {
    fn size_bytes(&self) -> u64 {
        Output::size_bytes(self)
    }

    fn buffer(&self, len_bytes: u32) -> Vec<u8> {
        Output::buffer(self, 0, len_bytes)
    }

    fn write(&self, offset_bytes: u64, bytes: &[u8]) {
        Output::write(self, offset_bytes, bytes);
    }

    #[cfg(feature = "gpu")]
    fn handle(&self) -> &Output {
        self
    }
}

impl From<ScalarValue> for Scalar {
    fn from(value: ScalarValue) -> Self {
        match value {
            ScalarValue::Boolean(value) => Self::Bool(value),
            ScalarValue::I32(value) => Self::I32(value),
            ScalarValue::I64(value) => Self::I64(value),
            ScalarValue::U32(value) => Self::U32(value),
            ScalarValue::U64(value) => Self::U64(value),
            ScalarValue::F32(value) => Self::F32(value),
            ScalarValue::F64(value) => Self::F64(value),
        }
    }
}

impl From<LaunchError> for KernelError {
    fn from(error: LaunchError) -> Self {
        match error {
            LaunchError::UnknownEntry(name) => Self::UnknownEntry(name),
            LaunchError::BadArgument { name, reason } => {
                Self::BadArgument(BadArgument { name, reason })
            }
            LaunchError::Failed(message) => Self::Failed(message),
        }
    }
}
