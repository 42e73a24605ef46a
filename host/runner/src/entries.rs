//! The types of `hotcell:kernel/entries`, as wasmtime lowers and lifts them.
//!
//! They are derived and not generated, for one reason: what the guest returns is lifted as a view of its
//! memory ([`WasmStr`]), so that the host allocates nothing on the guest's word.

use crate::arrays::{Input, Output};
use hotcell_model::manifest::ScalarValue;
use std::sync::Arc;
use wasmtime::component::{ComponentType, Lift, Lower, Resource, WasmStr};

/// `record dimension`
#[derive(ComponentType, Lower, Clone)]
#[component(record)]
pub(crate) struct Dimension {
    pub(crate) name: Arc<str>,
    pub(crate) extent: u64,
}

/// `variant scalar-value`
#[derive(ComponentType, Lower, Clone, Copy)]
#[component(variant)]
pub(crate) enum EntryValue {
    #[component(name = "boolean")]
    Boolean(bool),
    #[component(name = "i32")]
    I32(i32),
    #[component(name = "i64")]
    I64(i64),
    #[component(name = "u32")]
    U32(u32),
    #[component(name = "u64")]
    U64(u64),
    #[component(name = "f32")]
    F32(f32),
    #[component(name = "f64")]
    F64(f64),
}

impl From<ScalarValue> for EntryValue {
    fn from(value: ScalarValue) -> Self {
        match value {
            ScalarValue::Bool(value) => Self::Boolean(value),
            ScalarValue::I32(value) => Self::I32(value),
            ScalarValue::I64(value) => Self::I64(value),
            ScalarValue::U32(value) => Self::U32(value),
            ScalarValue::U64(value) => Self::U64(value),
            ScalarValue::F32(value) => Self::F32(value),
            ScalarValue::F64(value) => Self::F64(value),
        }
    }
}

/// `record scalar`
#[derive(ComponentType, Lower, Clone)]
#[component(record)]
pub(crate) struct Scalar {
    pub(crate) name: Arc<str>,
    pub(crate) value: EntryValue,
}

/// `record source`
#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct SourceArgument {
    pub(crate) name: Arc<str>,
    pub(crate) data: Resource<Input>,
}

/// `record destination`
#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct DestinationArgument {
    pub(crate) name: Arc<str>,
    pub(crate) data: Resource<Output>,
}

/// `record chunk`
#[derive(ComponentType, Lower, Clone, Copy)]
#[component(record)]
pub(crate) struct ChunkRange {
    pub(crate) start: u64,
    pub(crate) len: u64,
    pub(crate) total: u64,
}

/// `record request`
#[derive(ComponentType, Lower)]
#[component(record)]
pub(crate) struct EntryRequest {
    pub(crate) entry: Arc<str>,
    pub(crate) dims: Vec<Dimension>,
    pub(crate) scalars: Vec<Scalar>,
    pub(crate) sources: Vec<SourceArgument>,
    pub(crate) destinations: Vec<DestinationArgument>,
    pub(crate) chunk: ChunkRange,
}

/// `record bad-argument`
#[derive(ComponentType, Lift)]
#[component(record)]
pub(crate) struct BadArgument {
    pub(crate) name: WasmStr,
    pub(crate) reason: WasmStr,
}

/// `variant kernel-error`
#[derive(ComponentType, Lift)]
#[component(variant)]
pub(crate) enum KernelError {
    #[component(name = "unknown-entry")]
    UnknownEntry(WasmStr),
    #[component(name = "bad-argument")]
    BadArgument(BadArgument),
    #[component(name = "failed")]
    Failed(WasmStr),
}

/// `enum level`
#[expect(
    dead_code,
    reason = "only the guest makes these; lifting sets the discriminant"
)]
#[derive(ComponentType, Lift, Clone, Copy)]
#[component(enum)]
#[repr(u8)]
pub(crate) enum EmittedLevel {
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warn")]
    Warn,
    #[component(name = "error")]
    Error,
}
