//! What a shader must be before a device hears of it.
//!
//! [`admit`] takes hostile WGSL and either refuses it, naming the place in the author's text, or returns an
//! [`Admitted`]: a valid module with one compute entry point that uses only what kernels are offered, whose
//! barriers are met by all invocations of a workgroup or by none, and whose size is bounded once every call is
//! inlined. It asks no device and reads no clock, and what the text may make it do is bounded beforehand.

mod census;
pub mod cost;
mod driver;
mod front;
mod part;
mod place;
mod pointers;
mod refusal;
mod returns;
mod skipped;
mod tables;
mod text;
pub mod uniformity;

pub use census::{GROUPS, PRIVATE_BYTES};
pub use cost::{Cost, Scope};
pub use driver::DRIVER_WEIGHT;
pub use refusal::{RefusalReason, ShaderRefusal};
pub use tables::{TABLES_GROUP, TABLES_SLOT};
pub use uniformity::Uniformity;

use hotcell_model::limit::{Limit, Limits};
use hotcell_model::manifest::Weight;
use naga::valid::ModuleInfo;
use naga::{EntryPoint, Function, Handle, Module, Span};
use place::ShaderText;
use std::borrow::Cow;

/// What bounds a shader at admission.
#[derive(Clone, Copy, Debug)]
pub struct AdmissionLimits {
    /// Bytes of WGSL.
    pub shader_bytes: u64,
    /// Operations once every call is inlined; loops count once.
    pub operations: u64,
    /// Workgroup memory in bytes.
    pub workgroup_bytes: u64,
    /// Invocations of one workgroup.
    pub workgroup_invocations: u32,
    /// The size of a workgroup along each axis.
    pub workgroup_size: [u32; 3],
    /// Whether subgroup operations may be used.
    pub has_subgroups: bool,
}

impl AdmissionLimits {
    /// A launch's default limits, on a device with the least that WebGPU promises and with subgroups.
    pub fn by_default() -> Self {
        let limits = Limits::defaults(Weight::Normal);
        Self {
            shader_bytes: limits.get(Limit::GpuShaderBytes),
            operations: limits.get(Limit::GpuShaderOperations),
            workgroup_bytes: limits.get(Limit::GpuWorkgroupBytes),
            workgroup_invocations: 256,
            workgroup_size: [256, 256, 64],
            has_subgroups: true,
        }
    }
}

/// A function of an admitted module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FunctionId {
    /// The entry point.
    Entry,
    /// One that it calls.
    Function(Handle<Function>),
}

/// What a shader does with a binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BindingAccess {
    /// `var<storage, read>`.
    ReadOnly,
    /// `var<storage, read_write>`.
    ReadWrite,
    /// `var<uniform>`.
    Uniform,
}

/// A buffer that an entry point uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BindingUse {
    /// `@group`, below 4.
    pub group: u32,
    /// `@binding`.
    pub slot: u32,
    /// What is done with it.
    pub access: BindingAccess,
    /// The least bytes that must be bound: a run-time array counts as one element.
    pub min_bytes: u64,
    /// The run-time array that it is, or ends in: how much is bound says how long that is.
    pub array: Option<RuntimeArray>,
}

/// An array whose length is that of what is bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuntimeArray {
    /// Where its first element begins.
    pub offset_bytes: u64,
    /// From one element to the next: at least 4.
    pub stride_bytes: u64,
    /// Whether the shader may ask for its length.
    pub is_measured: bool,
}

/// An admitted entry point. Only [`admit`] makes one.
#[derive(Debug)]
pub struct Admitted {
    text: String,
    module: Module,
    info: ModuleInfo,
    uniformity: Uniformity,
    cost: Cost,
    bindings: Vec<BindingUse>,
    tables: Option<Vec<u8>>,
}

impl Admitted {
    /// The module: one entry point and what it reaches, no `override` left.
    pub fn module(&self) -> &Module {
        &self.module
    }

    /// Line and column of the author's text where a span begins; 0 where it has no place.
    pub fn place(&self, span: Span) -> (u32, u32) {
        ShaderText(&self.text).place(span)
    }

    /// What the validator found out about it.
    pub fn info(&self) -> &ModuleInfo {
        &self.info
    }

    /// The entry point.
    pub fn entry_point(&self) -> &EntryPoint {
        &self.module.entry_points[0]
    }

    /// A function with its types; `None` for one of another module.
    pub fn scope(&self, function: FunctionId) -> Option<Scope<'_>> {
        Scope::new(&self.module, &self.info, function)
    }

    /// What is the same in all invocations of a workgroup.
    pub fn uniformity(&self) -> &Uniformity {
        &self.uniformity
    }

    /// Whether something in it has to be met by all invocations of a workgroup, or of a subgroup, together.
    pub fn is_in_step(&self) -> bool {
        uniformity::is_in_step(&self.module)
    }

    /// What it costs.
    pub fn cost(&self) -> &Cost {
        &self.cost
    }

    /// Invocations of a workgroup along each axis: none is 0.
    pub fn workgroup_size(&self) -> [u32; 3] {
        self.entry_point().workgroup_size
    }

    /// What must be bound, in order of group and slot.
    pub fn bindings(&self) -> &[BindingUse] {
        &self.bindings
    }

    /// What a buffer holds that must be bound besides, at [`TABLES_GROUP`] and [`TABLES_SLOT`]: tables of constants.
    pub fn tables(&self) -> Option<&[u8]> {
        self.tables.as_deref()
    }
}

/// Admits one compute entry point of a WGSL text, with values for its `override` constants.
///
/// # Errors
/// Why not, and where.
pub fn admit(
    wgsl: &str,
    entry: &str,
    constants: &[(String, f64)],
    limits: &AdmissionLimits,
) -> Result<Admitted, ShaderRefusal> {
    let text = check_text(wgsl, limits)?;
    let source = ShaderText(&text);
    let (mut module, mut info) = front::read(source, entry, constants, limits.has_subgroups)?;
    skipped::check(source, &module)?;
    part::check(source, &module)?;
    let bindings = census::take(source, &module, limits)?;
    let tables = tables::hoist(&mut module, &info);
    if tables.is_some() {
        info = front::validate_again(source, &mut module, limits.has_subgroups)?;
    }
    let cost =
        Cost::of_module(&module, &info).ok_or(ShaderRefusal::of_shader(RefusalReason::FrontEnd))?;
    check_limit(
        Limit::GpuShaderOperations,
        cost.operations(),
        limits.operations,
    )?;
    let weight = driver::weigh(&module, &info, &cost)
        .ok_or(ShaderRefusal::of_shader(RefusalReason::FrontEnd))?;
    if weight > DRIVER_WEIGHT {
        return Err(ShaderRefusal::of_shader(RefusalReason::TooMany {
            what: "computed loads and stores, words of private arrays and thirds of loops, with every call inlined",
            counted: weight,
            maximum: DRIVER_WEIGHT,
        }));
    }
    let uniformity = Uniformity::of_module(source, &module, &info)?;
    Ok(Admitted {
        text: text.to_string(),
        module,
        info,
        uniformity,
        cost,
        bindings,
        tables,
    })
}

/// The names of a text's compute entry points, in its order.
///
/// # Errors
/// Why none of them is admitted, as far as that is to be told without looking at one.
pub(crate) fn compute_entries(
    wgsl: &str,
    limits: &AdmissionLimits,
) -> Result<Vec<String>, ShaderRefusal> {
    let text = check_text(wgsl, limits)?;
    front::compute_entries(ShaderText(&text), limits.has_subgroups)
}

/// The text as the front end is given it.
fn check_text<'a>(wgsl: &'a str, limits: &AdmissionLimits) -> Result<Cow<'a, str>, ShaderRefusal> {
    let requested = wgsl.len() as u64;
    check_limit(Limit::GpuShaderBytes, requested, limits.shader_bytes)?;
    text::check(ShaderText(wgsl), limits.has_subgroups)
}

fn check_limit(limit: Limit, requested: u64, maximum: u64) -> Result<(), ShaderRefusal> {
    if requested > maximum {
        return Err(ShaderRefusal::of_shader(RefusalReason::Limit {
            limit,
            requested,
            maximum,
        }));
    }
    Ok(())
}
