//! The types of `hotcell:kernel/entries`, as wasmtime lowers and lifts them. Public for measurements that run a component
//! without a runner, and no part of the interface.
//!
//! They are derived and not generated, for one reason: what the guest returns is lifted as a view of its
//! memory and cut there ([`Words`]), so that the host allocates nothing on the guest's word.

pub use crate::arrays::{Input, Output};
use crate::end::NAME_BYTES;
use crate::meter::EXPLANATION_BYTES;
pub use crate::words::Words;
use hotcell_model::manifest::ScalarValue;
use std::sync::Arc;
use wasmtime::component::{ComponentType, Lift, Lower, Resource};

/// `record dimension`
#[derive(ComponentType, Lower, Clone)]
#[component(record)]
pub struct Dimension {
    pub name: Arc<str>,
    pub extent: u64,
}

/// `variant scalar-value`
#[derive(ComponentType, Lower, Clone, Copy)]
#[component(variant)]
pub enum EntryValue {
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
pub struct Scalar {
    pub name: Arc<str>,
    pub value: EntryValue,
}

/// `record source`
#[derive(ComponentType, Lower)]
#[component(record)]
pub struct SourceArgument {
    pub name: Arc<str>,
    pub data: Resource<Input>,
}

/// `record destination`
#[derive(ComponentType, Lower)]
#[component(record)]
pub struct DestinationArgument {
    pub name: Arc<str>,
    pub data: Resource<Output>,
}

/// `record chunk`
#[derive(ComponentType, Lower, Clone, Copy)]
#[component(record)]
pub struct ChunkRange {
    pub start: u64,
    pub len: u64,
    pub total: u64,
}

/// `record request`
#[derive(ComponentType, Lower)]
#[component(record)]
pub struct EntryRequest {
    pub entry: Arc<str>,
    pub dims: Vec<Dimension>,
    pub scalars: Vec<Scalar>,
    pub sources: Vec<SourceArgument>,
    pub destinations: Vec<DestinationArgument>,
    pub chunk: ChunkRange,
}

/// `record bad-argument`
#[derive(ComponentType, Lift)]
#[component(record)]
pub struct BadArgument {
    pub name: Words<NAME_BYTES>,
    pub reason: Words<EXPLANATION_BYTES>,
}

/// `variant kernel-error`
#[derive(ComponentType, Lift)]
#[component(variant)]
pub enum KernelError {
    #[component(name = "unknown-entry")]
    UnknownEntry(Words<NAME_BYTES>),
    #[component(name = "bad-argument")]
    BadArgument(BadArgument),
    #[component(name = "failed")]
    Failed(Words<EXPLANATION_BYTES>),
}

/// `enum level`
#[derive(ComponentType, Lift, Clone, Copy)]
#[component(enum)]
#[repr(u8)]
pub enum EmittedLevel {
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warn")]
    Warn,
    #[component(name = "error")]
    Error,
}
