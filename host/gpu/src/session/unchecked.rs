//! A shader as it is: valid, and neither admitted nor metered. Test builds run hostile shaders this way, to show that
//! the device's bounds, the deadline and the process around it hold by themselves.

use crate::device::PreparedShader;
use hotcell_model::gpu::GpuError;
use hotcell_shader::admission::{BindingAccess, BindingUse};
use naga::valid::{Capabilities, FunctionInfo, ValidationFlags, Validator};
use naga::{AddressSpace, GlobalVariable, Module, ShaderStage, StorageAccess};

/// Prepares an entry point without a check of ours.
pub(super) fn prepare(wgsl: &str, entry: &str) -> Result<PreparedShader, GpuError> {
    let module = naga::front::wgsl::parse_str(wgsl).map_err(|error| refused(error.message()))?;
    let capabilities = Capabilities::SHADER_FLOAT16_IN_FLOAT32 | Capabilities::SUBGROUP;
    let info = Validator::new(ValidationFlags::all(), capabilities)
        .validate(&module)
        .map_err(|error| refused(&error.to_string()))?;
    let named =
        |point: &naga::EntryPoint| point.name == entry && point.stage == ShaderStage::Compute;
    let position = module.entry_points.iter().position(named);
    let position = position.ok_or_else(|| refused("there is no such entry point"))?;
    Ok(PreparedShader {
        workgroup_size: module.entry_points[position].workgroup_size,
        bindings: bindings(&module, info.get_entry_point(position)),
        tables: None,
        entry: entry.to_owned(),
        static_fuel: 0,
        has_meter: false,
        allowance: None,
        is_counted: false,
        has_finite_loops: false,
        module,
    })
}

fn bindings(module: &Module, used: &FunctionInfo) -> Vec<BindingUse> {
    let globals = module.global_variables.iter();
    globals
        .filter(|(handle, _)| !used[*handle].is_empty())
        .filter_map(|(_, global)| binding(module, global))
        .collect()
}

fn binding(module: &Module, global: &GlobalVariable) -> Option<BindingUse> {
    let place = global.binding?;
    let access = match global.space {
        AddressSpace::Uniform => BindingAccess::Uniform,
        AddressSpace::Storage { access } if access.contains(StorageAccess::STORE) => {
            BindingAccess::ReadWrite
        }
        AddressSpace::Storage { .. } => BindingAccess::ReadOnly,
        _ => return None,
    };
    Some(BindingUse {
        group: place.group,
        slot: place.binding,
        access,
        min_bytes: u64::from(module.types[global.ty].inner.size(module.to_ctx())).max(4),
        array: None,
    })
}

fn refused(message: &str) -> GpuError {
    GpuError::Shader {
        line: 0,
        column: 0,
        message: message.to_owned(),
    }
}
