//! The types of `hotcell:gpu/compute`, as wasmtime lowers and lifts them.
//!
//! As with those of `entries`: what the guest passes is lifted as a view of its memory where its length is the
//! guest's to choose.

use super::handles::{BindSet, Buffer};
use crate::arrays::{Input, Output};
use hotcell_model::gpu::{GpuBinding, GpuError, GpuProperties};
use hotcell_model::limit::Limit;
use wasmtime::component::{ComponentType, Lift, Lower, Resource, WasmStr};

/// `record shader-error`
#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct ShaderError {
    line: u32,
    column: u32,
    message: String,
}

/// `record limit-error`
#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct LimitError {
    name: &'static str,
    requested: u64,
    maximum: u64,
}

/// `record range-error`
#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct RangeError {
    #[component(name = "offset-bytes")]
    offset_bytes: u64,
    #[component(name = "len-bytes")]
    len_bytes: u64,
    #[component(name = "size-bytes")]
    size_bytes: u64,
}

/// `variant error`
#[derive(ComponentType, Lower)]
#[component(variant)]
pub(super) enum Error {
    #[component(name = "shader")]
    Shader(ShaderError),
    #[component(name = "limit")]
    Limit(LimitError),
    #[component(name = "out-of-range")]
    OutOfRange(RangeError),
    #[component(name = "misuse")]
    Misuse(String),
}

impl From<GpuError> for Error {
    fn from(error: GpuError) -> Self {
        match error {
            GpuError::Shader {
                line,
                column,
                message,
            } => Self::Shader(ShaderError {
                line,
                column,
                message,
            }),
            GpuError::Limit {
                limit,
                requested,
                maximum,
            } => Self::Limit(LimitError {
                name: limit.name(),
                requested,
                maximum,
            }),
            GpuError::OutOfRange {
                offset_bytes,
                len_bytes,
                size_bytes,
            } => Self::OutOfRange(RangeError {
                offset_bytes,
                len_bytes,
                size_bytes,
            }),
            GpuError::Misuse(message) => Self::Misuse(message),
        }
    }
}

/// `record properties`
#[derive(ComponentType, Lower)]
#[component(record)]
pub(super) struct Properties {
    #[component(name = "has-subgroups")]
    has_subgroups: bool,
    #[component(name = "min-subgroup-size")]
    min_subgroup_size: u32,
    #[component(name = "max-subgroup-size")]
    max_subgroup_size: u32,
    #[component(name = "max-workgroup-bytes")]
    max_workgroup_bytes: u32,
    #[component(name = "max-workgroup-invocations")]
    max_workgroup_invocations: u32,
    #[component(name = "max-workgroups-per-axis")]
    max_workgroups_per_axis: u32,
    #[component(name = "max-binding-bytes")]
    max_binding_bytes: u64,
}

impl From<GpuProperties> for Properties {
    fn from(properties: GpuProperties) -> Self {
        Self {
            has_subgroups: properties.has_subgroups,
            min_subgroup_size: properties.min_subgroup_size,
            max_subgroup_size: properties.max_subgroup_size,
            max_workgroup_bytes: properties.max_workgroup_bytes,
            max_workgroup_invocations: properties.max_workgroup_invocations,
            max_workgroups_per_axis: properties.max_workgroups_per_axis,
            max_binding_bytes: properties.max_binding_bytes,
        }
    }
}

/// `enum quota`
#[expect(
    dead_code,
    reason = "only the guest makes these; lifting sets the discriminant"
)]
#[derive(ComponentType, Lift, Clone, Copy)]
#[component(enum)]
#[repr(u8)]
pub(super) enum QuotaKind {
    #[component(name = "bytes")]
    Bytes,
    #[component(name = "dispatches")]
    Dispatches,
    #[component(name = "invocations")]
    Invocations,
    #[component(name = "fuel")]
    Fuel,
}

impl From<QuotaKind> for Limit {
    fn from(quota: QuotaKind) -> Self {
        match quota {
            QuotaKind::Bytes => Self::GpuBytes,
            QuotaKind::Dispatches => Self::GpuDispatches,
            QuotaKind::Invocations => Self::GpuInvocations,
            QuotaKind::Fuel => Self::GpuFuel,
        }
    }
}

/// `record constant`
#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct Constant {
    pub(super) name: WasmStr,
    pub(super) value: f64,
}

/// `record binding`
#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct Binding {
    pub(super) group: u32,
    pub(super) slot: u32,
    pub(super) buffer: Resource<Buffer>,
    #[component(name = "offset-bytes")]
    pub(super) offset_bytes: u64,
    #[component(name = "len-bytes")]
    pub(super) len_bytes: Option<u64>,
}

impl Binding {
    /// As the session hears of it.
    pub(super) fn to(&self, buffer: &Buffer) -> GpuBinding {
        GpuBinding {
            group: self.group,
            slot: self.slot,
            buffer: buffer.held.id(),
            offset_bytes: self.offset_bytes,
            len_bytes: self.len_bytes,
        }
    }
}

/// `record dispatch`
#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct Dispatch {
    #[component(name = "bind-set")]
    pub(super) bind_set: Resource<BindSet>,
    pub(super) x: u32,
    pub(super) y: u32,
    pub(super) z: u32,
}

/// `record copy`
#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct BufferCopy {
    pub(super) source: Resource<Buffer>,
    #[component(name = "source-offset-bytes")]
    pub(super) source_offset_bytes: u64,
    pub(super) destination: Resource<Buffer>,
    #[component(name = "destination-offset-bytes")]
    pub(super) destination_offset_bytes: u64,
    #[component(name = "len-bytes")]
    pub(super) len_bytes: u64,
}

/// `record fill`
#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct Fill {
    pub(super) source: Resource<Input>,
    #[component(name = "source-offset-bytes")]
    pub(super) source_offset_bytes: u64,
    pub(super) destination: Resource<Buffer>,
    #[component(name = "destination-offset-bytes")]
    pub(super) destination_offset_bytes: u64,
    #[component(name = "len-bytes")]
    pub(super) len_bytes: u64,
}

/// `record read-array`
#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct ReadArray {
    pub(super) source: Resource<Buffer>,
    #[component(name = "source-offset-bytes")]
    pub(super) source_offset_bytes: u64,
    pub(super) destination: Resource<Output>,
    #[component(name = "destination-offset-bytes")]
    pub(super) destination_offset_bytes: u64,
    #[component(name = "len-bytes")]
    pub(super) len_bytes: u64,
}

/// `record clear`
#[derive(ComponentType, Lift)]
#[component(record)]
pub(super) struct Clear {
    pub(super) buffer: Resource<Buffer>,
    #[component(name = "offset-bytes")]
    pub(super) offset_bytes: u64,
    #[component(name = "len-bytes")]
    pub(super) len_bytes: u64,
}

/// `variant command`
#[derive(ComponentType, Lift)]
#[component(variant)]
pub(super) enum Command {
    #[component(name = "dispatch")]
    Dispatch(Dispatch),
    #[component(name = "copy")]
    Copy(BufferCopy),
    #[component(name = "fill")]
    Fill(Fill),
    #[component(name = "read-array")]
    ReadArray(ReadArray),
    #[component(name = "clear")]
    Clear(Clear),
}
