//! What a valid module holds, against what kernels are offered and against the launch's limits.

use super::place::ShaderText;
use super::refusal::{RefusalReason, ShaderRefusal};
use super::{AdmissionLimits, BindingAccess, BindingUse, RuntimeArray, check_limit};
use hotcell_model::limit::Limit;
use naga::proc::Layouter;
use naga::{
    AddressSpace, ArraySize, Barrier, Block, EntryPoint, Expression, Function, GlobalVariable,
    Handle, Module, ResourceBinding, Span, Statement, StorageAccess, Type, TypeInner,
};
use std::collections::HashSet;

/// Guests have the groups below this one; the next is the host's.
pub const GROUPS: u32 = 4;

/// Bytes of private and local variables that an invocation may hold at once, whatever the launch's limits.
pub const PRIVATE_BYTES: u64 = 64 << 10;

/// Parameters of one function.
const PARAMETERS: usize = 64;

/// Checks a valid module with one entry point, and lists what must be bound to it.
///
/// # Errors
/// Something that kernels are not offered, or more of something than they may have.
pub(super) fn take(
    source: ShaderText<'_>,
    module: &Module,
    limits: &AdmissionLimits,
) -> Result<Vec<BindingUse>, ShaderRefusal> {
    let mut layouter = Layouter::default();
    let laid_out = layouter.update(module.to_ctx());
    laid_out.map_err(|_| ShaderRefusal::of_shader(RefusalReason::FrontEnd))?;
    let census = ShaderCensus {
        source,
        module,
        layouter,
    };
    census.check_types()?;
    for point in &module.entry_points {
        census.check_workgroup(point, limits)?;
        census.check_function(&point.function)?;
    }
    for (_, function) in module.functions.iter() {
        census.check_function(function)?;
    }
    census.check_memory(limits)?;
    census.bindings()
}

struct ShaderCensus<'a> {
    source: ShaderText<'a>,
    module: &'a Module,
    layouter: Layouter,
}

impl ShaderCensus<'_> {
    fn bytes(&self, ty: Handle<Type>) -> u64 {
        u64::from(self.layouter[ty].size)
    }

    /// Buffers and memory alone: what the validator's capabilities leave out is refused here again, by name.
    fn check_types(&self) -> Result<(), ShaderRefusal> {
        for (handle, ty) in self.module.types.iter() {
            let what = match ty.inner {
                TypeInner::Scalar(_)
                | TypeInner::Vector { .. }
                | TypeInner::Matrix { .. }
                | TypeInner::Atomic(_)
                | TypeInner::Pointer { .. }
                | TypeInner::ValuePointer { .. }
                | TypeInner::Array { .. }
                | TypeInner::Struct { .. } => continue,
                TypeInner::Image { .. } => "a texture",
                TypeInner::Sampler { .. } => "a sampler",
                TypeInner::BindingArray { .. } => "a binding array",
                TypeInner::CooperativeMatrix { .. } => "a cooperative matrix",
                TypeInner::AccelerationStructure { .. } | TypeInner::RayQuery { .. } => {
                    "ray tracing"
                }
            };
            let span = self.module.types.get_span(handle);
            return Err(self.not_offered(span, what));
        }
        Ok(())
    }

    fn not_offered(&self, span: Span, what: &str) -> ShaderRefusal {
        self.source
            .refuse(span, RefusalReason::NotOffered(what.to_owned()))
    }

    fn check_workgroup(
        &self,
        point: &EntryPoint,
        limits: &AdmissionLimits,
    ) -> Result<(), ShaderRefusal> {
        let invocations = point.workgroup_size.iter().fold(1_u64, |product, axis| {
            product.saturating_mul(u64::from(*axis))
        });
        let axes = point.workgroup_size.into_iter().zip(limits.workgroup_size);
        let whats = [
            "invocations along x in a workgroup",
            "invocations along y in a workgroup",
            "invocations along z in a workgroup",
        ];
        let counts = axes
            .zip(whats)
            .map(|((counted, maximum), what)| (what, u64::from(counted), u64::from(maximum)))
            .chain([(
                "invocations in a workgroup",
                invocations,
                u64::from(limits.workgroup_invocations),
            )]);
        for (what, counted, maximum) in counts {
            check_count(what, counted, maximum)?;
        }
        Ok(())
    }

    fn check_function(&self, function: &Function) -> Result<(), ShaderRefusal> {
        check_count(
            "parameters of a function",
            function.arguments.len() as u64,
            PARAMETERS as u64,
        )?;
        self.check_block(&function.body)
    }

    /// Statements that the capabilities leave in, and kernels are not offered.
    fn check_block(&self, block: &Block) -> Result<(), ShaderRefusal> {
        for (statement, span) in block.span_iter() {
            match statement {
                Statement::ControlBarrier(barrier) if barrier.intersects(Barrier::TEXTURE) => {
                    return Err(self.not_offered(*span, "`textureBarrier`"));
                }
                Statement::Block(inner) => self.check_block(inner)?,
                Statement::If { accept, reject, .. } => {
                    self.check_block(accept)?;
                    self.check_block(reject)?;
                }
                Statement::Switch { cases, .. } => {
                    for case in cases {
                        self.check_block(&case.body)?;
                    }
                }
                Statement::Loop {
                    body, continuing, ..
                } => {
                    self.check_block(body)?;
                    self.check_block(continuing)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn check_memory(&self, limits: &AdmissionLimits) -> Result<(), ShaderRefusal> {
        let of_space = |space: AddressSpace| {
            let variables = self.module.global_variables.iter();
            variables
                .filter(|(_, variable)| variable.space == space)
                .map(|(_, variable)| self.bytes(variable.ty))
                .fold(0, u64::saturating_add)
        };
        let workgroup = of_space(AddressSpace::WorkGroup);
        check_limit(Limit::GpuWorkgroupBytes, workgroup, limits.workgroup_bytes)?;
        let functions = self.module.functions.iter().map(|(_, function)| function);
        let points = self.module.entry_points.iter().map(|point| &point.function);
        let locals = functions
            .chain(points)
            .flat_map(|function| function.local_variables.iter())
            .map(|(_, local)| self.bytes(local.ty))
            .fold(0, u64::saturating_add);
        let private = of_space(AddressSpace::Private).saturating_add(locals);
        check_count(
            "bytes of private and local variables",
            private,
            PRIVATE_BYTES,
        )
    }

    fn bindings(&self) -> Result<Vec<BindingUse>, ShaderRefusal> {
        let measured = self.measured();
        let mut bindings = Vec::new();
        for (handle, variable) in self.module.global_variables.iter() {
            let span = self.module.global_variables.get_span(handle);
            if let Some(binding) = variable.binding {
                let is_measured = measured
                    .as_ref()
                    .is_none_or(|known| known.contains(&handle));
                let array = self.runtime_array(variable.ty, is_measured);
                let place = self.binding(variable, binding, span)?;
                bindings.push(BindingUse { array, ..place });
            }
        }
        bindings.sort_unstable_by_key(|binding| (binding.group, binding.slot));
        Ok(bindings)
    }

    fn binding(
        &self,
        variable: &GlobalVariable,
        binding: ResourceBinding,
        span: Span,
    ) -> Result<BindingUse, ShaderRefusal> {
        if binding.group >= GROUPS {
            return Err(self.not_offered(span, &format!("group {}", binding.group)));
        }
        let access = match variable.space {
            AddressSpace::Uniform => BindingAccess::Uniform,
            AddressSpace::Storage { access } if access.contains(StorageAccess::STORE) => {
                BindingAccess::ReadWrite
            }
            AddressSpace::Storage { .. } => BindingAccess::ReadOnly,
            _ => return Err(self.not_offered(span, "this kind of binding")),
        };
        Ok(BindingUse {
            group: binding.group,
            slot: binding.binding,
            access,
            min_bytes: self.bytes(variable.ty),
            array: None,
        })
    }

    /// The run-time array that a variable is, or ends in.
    fn runtime_array(&self, ty: Handle<Type>, is_measured: bool) -> Option<RuntimeArray> {
        let (ty, offset) = match &self.module.types[ty].inner {
            TypeInner::Struct { members, .. } => {
                let last = members.last()?;
                (last.ty, last.offset)
            }
            _ => (ty, 0),
        };
        match self.module.types[ty].inner {
            TypeInner::Array {
                size: ArraySize::Dynamic,
                stride,
                ..
            } => Some(RuntimeArray {
                offset_bytes: offset.into(),
                stride_bytes: stride.into(),
                is_measured,
            }),
            _ => None,
        }
    }

    /// The variables whose length the shader may ask for; `None` where that may be any.
    fn measured(&self) -> Option<HashSet<Handle<GlobalVariable>>> {
        let functions = self.module.functions.iter().map(|(_, function)| function);
        let points = self.module.entry_points.iter().map(|point| &point.function);
        let mut measured = HashSet::new();
        for function in functions.chain(points) {
            for (_, expression) in function.expressions.iter() {
                if let Expression::ArrayLength(array) = *expression {
                    measured.insert(root(function, array)?);
                }
            }
        }
        Some(measured)
    }
}

/// The variable that a pointer leads into; `None` where the caller of the function says so.
fn root(function: &Function, mut pointer: Handle<Expression>) -> Option<Handle<GlobalVariable>> {
    loop {
        pointer = match function.expressions[pointer] {
            Expression::GlobalVariable(variable) => return Some(variable),
            Expression::Access { base, .. } | Expression::AccessIndex { base, .. } => base,
            _ => return None,
        };
    }
}

fn check_count(what: &'static str, counted: u64, maximum: u64) -> Result<(), ShaderRefusal> {
    if counted > maximum {
        return Err(ShaderRefusal::of_shader(RefusalReason::TooMany {
            what,
            counted,
            maximum,
        }));
    }
    Ok(())
}
