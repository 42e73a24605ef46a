//! Kernels: from a guest's WGSL to a pipeline.

use super::failure::SessionFailure;
use super::things::Thing;
use super::{Checks, Session};
use crate::device::{
    Device, GUEST_GROUPS, GUEST_SLOTS, HOST_STORAGE_BUFFERS, HOST_UNIFORM_BUFFERS, PipelineKey,
    PreparedShader,
};
use bytes::Bytes;
use hotcell_model::gpu::{GpuAnswer, GpuError, GpuShader, NamedShader};
use hotcell_shader::admission::{
    AdmissionLimits, BindingAccess, BindingUse, RefusalReason, ShaderRefusal, admit,
};
use hotcell_shader::fuel::{FuelOptions, InstrumentError, instrument};
use hotcell_shader::panics::caught;
use hotcell_shader::translation;
use std::str::Utf8Error;

/// Values for `override` constants, by name.
type Constants = [(String, f64)];

impl Session {
    /// Takes the next piece of a shader's text. A piece that does not fit drops the text.
    pub(super) fn say(&mut self, piece: &str) -> Result<GpuAnswer, SessionFailure> {
        self.check_has_text()?;
        let len = (self.said.len() + piece.len()) as u64;
        if let Err(error) = self.quotas.shader_bytes.check(len) {
            self.said = String::new();
            return Err(error.into());
        }
        self.said.push_str(piece);
        Ok(GpuAnswer::Done)
    }

    /// Refuses what whoever runs the guest should have refused.
    fn check_has_text(&self) -> Result<(), GpuError> {
        let refused = || GpuError::Misuse("text made at run time is not granted".to_owned());
        self.has_text.then_some(()).ok_or_else(refused)
    }

    /// The text that a kernel is to be made of. What was said is forgotten.
    fn text(&mut self, shader: &GpuShader) -> Result<Bytes, GpuError> {
        let said = std::mem::take(&mut self.said);
        let GpuShader::Named(name) = shader else {
            return self.check_has_text().map(|()| said.into());
        };
        let named = self.shaders.iter().find(|shader| shader.name == *name);
        let named = named.map(|shader| shader.text.clone());
        named.ok_or_else(|| unknown(name, &self.shaders))
    }

    /// Admits and compiles a shader. Its bytes are charged for being read, whatever comes of them.
    pub(super) fn create_kernel(
        &mut self,
        shader: &GpuShader,
        entry: &str,
        constants: &Constants,
    ) -> Result<GpuAnswer, SessionFailure> {
        let text = self.text(shader)?;
        self.quotas.pipelines.check(1)?;
        self.quotas
            .shader_bytes
            .charge(text_bytes(&text, entry, constants))?;
        self.publish();
        let wgsl = std::str::from_utf8(&text).map_err(not_utf8)?;
        let limits = self.admission_limits(wgsl.len() as u64);
        let (device, checks, has_profile) = (&self.device, self.checks, self.has_profile);
        let key = key(wgsl, entry, constants, &limits, (checks, has_profile));
        let pipeline = device.pipeline(key, || {
            let prepared = match checks {
                Checks::Full => {
                    let options = FuelOptions {
                        profile: has_profile,
                        force: false,
                        turns: device.turns_limit(),
                        has_subgroups: limits.has_subgroups,
                    };
                    caught(|| prepare(wgsl, entry, constants, &limits, options)).unwrap_or_else(
                        |_| Err(ShaderRefusal::of_shader(RefusalReason::FrontEnd).into()),
                    )?
                }
                #[cfg(feature = "unchecked")]
                Checks::None => super::unchecked::prepare(wgsl, entry)?,
            };
            check_bindings(device, &prepared.bindings)?;
            Ok::<_, SessionFailure>(prepared)
        })?;
        let id = self.things.fresh()?;
        self.quotas.pipelines.charge_unchecked(1);
        let workgroup_size = pipeline.workgroup_size;
        if has_profile {
            self.profile.name(&pipeline, shader, entry);
        }
        self.things.insert(id, Thing::Kernel(pipeline));
        Ok(GpuAnswer::Kernel { id, workgroup_size })
    }

    fn admission_limits(&self, shader_bytes: u64) -> AdmissionLimits {
        let (limits, properties) = (self.device.limits(), self.device.properties());
        let device_bytes = u64::from(properties.max_workgroup_bytes);
        AdmissionLimits {
            shader_bytes,
            operations: self.quotas.operations.maximum(),
            workgroup_bytes: self.quotas.workgroup_bytes.maximum().min(device_bytes),
            workgroup_invocations: properties.max_workgroup_invocations,
            workgroup_size: [
                limits.max_compute_workgroup_size_x,
                limits.max_compute_workgroup_size_y,
                limits.max_compute_workgroup_size_z,
            ],
            has_subgroups: properties.has_subgroups,
        }
    }
}

/// The refusal of a name that is no shader's.
fn unknown(name: &str, shaders: &[NamedShader]) -> GpuError {
    let names: Vec<&str> = shaders.iter().map(|shader| &*shader.name).collect();
    let there_are = match &names[..] {
        [] => "none".to_owned(),
        names => names.join(", "),
    };
    GpuError::Misuse(format!(
        "the component's section has no shader `{name}` (there are: {there_are})"
    ))
}

fn not_utf8(error: Utf8Error) -> GpuError {
    let valid = error.valid_up_to();
    GpuError::Shader {
        line: 0,
        column: 0,
        message: format!("the text is not UTF-8 from byte {valid} on"),
    }
}

/// Everything of a guest's that is read to make a kernel.
fn text_bytes(wgsl: &[u8], entry: &str, constants: &Constants) -> u64 {
    let names: usize = constants.iter().map(|(name, _)| name.len() + 8).sum();
    (wgsl.len() + entry.len() + names) as u64
}

fn prepare(
    wgsl: &str,
    entry: &str,
    constants: &Constants,
    limits: &AdmissionLimits,
    options: FuelOptions,
) -> Result<PreparedShader, GpuError> {
    let admitted = admit(wgsl, entry, constants, limits)?;
    let instrumented = instrument(&admitted, options).map_err(|error| {
        let (line, column) = match &error {
            InstrumentError::TooManyTurns { span, .. } => admitted.place(*span),
            InstrumentError::Invalid(_) => (0, 0),
        };
        GpuError::Shader {
            line,
            column,
            message: error.to_string(),
        }
    })?;
    translation::check(&instrumented)?;
    Ok(PreparedShader {
        workgroup_size: admitted.workgroup_size(),
        bindings: admitted.bindings().to_vec(),
        tables: admitted.tables().map(<[u8]>::to_vec),
        entry: instrumented.entry,
        static_fuel: instrumented.static_fuel,
        has_meter: instrumented.meter.is_some(),
        allowance: instrumented.allowance,
        is_counted: instrumented.is_counted,
        has_finite_loops: true,
        module: instrumented.module,
    })
}

/// Whether the device has a place for each binding, and those of the host's left.
fn check_bindings(device: &Device, bindings: &[BindingUse]) -> Result<(), GpuError> {
    let limits = device.limits();
    let count = |is: fn(BindingAccess) -> bool| {
        bindings.iter().filter(|binding| is(binding.access)).count() as u64
    };
    let uniforms = count(|access| access == BindingAccess::Uniform);
    let storages = count(|access| access != BindingAccess::Uniform);
    let most_storages = u64::from(
        limits
            .max_storage_buffers_per_shader_stage
            .saturating_sub(HOST_STORAGE_BUFFERS),
    );
    let most_uniforms = u64::from(
        limits
            .max_uniform_buffers_per_shader_stage
            .saturating_sub(HOST_UNIFORM_BUFFERS),
    );
    let wrong = if let Some(binding) = bindings.iter().find(|binding| !has_place(binding)) {
        format!(
            "there is no @group({}) @binding({}): groups are below {GUEST_GROUPS}, bindings below {GUEST_SLOTS}",
            binding.group, binding.slot
        )
    } else if storages > most_storages {
        format!("{storages} storage buffers, at most {most_storages} allowed")
    } else if uniforms > most_uniforms {
        format!("{uniforms} uniform buffers, at most {most_uniforms} allowed")
    } else {
        return Ok(());
    };
    Err(GpuError::Shader {
        line: 0,
        column: 0,
        message: wrong,
    })
}

fn has_place(binding: &BindingUse) -> bool {
    binding.group < GUEST_GROUPS && binding.slot < GUEST_SLOTS
}

/// The digest of all that a pipeline is made from. Every text is preceded by its length.
fn key(
    wgsl: &str,
    entry: &str,
    constants: &Constants,
    limits: &AdmissionLimits,
    (checks, has_profile): (Checks, bool),
) -> PipelineKey {
    let mut hasher = blake3::Hasher::new();
    let mut text = |text: &str| {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    };
    text(wgsl);
    text(entry);
    text(&format!("{checks:?} {has_profile} {limits:?}"));
    for (name, value) in constants {
        text(name);
        text(&value.to_bits().to_string());
    }
    *hasher.finalize().as_bytes()
}
