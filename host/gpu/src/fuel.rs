//! GPU fuel: makes every loop of an admitted shader finite, so that it ends whatever it is given.
//!
//! [`instrument`] charges what it can in advance and meters the rest. *Why every instrumented shader ends:* WGSL
//! has no recursion, and [`naga::Statement::Loop`] is the only way back. A loop is either finite, proven by
//! `trips` from constants, and paid for by what encloses it; or its turns were computed and paid for before it
//! (`turns`); or each turn pays first (`weave`) and leaves the loop when it cannot. Counters only go down, by at
//! least 1, and never wrap, so with a budget *b* and a static charge *s* an invocation executes at most *s* + *b*,
//! in the units of [`crate::admission::cost`], its garbage after running out included.
//!
//! *Why barriers are still met:* a loop that runs out is left by `break`, never by `return`. Loops in which the
//! workgroup goes in step ([`crate::admission::uniformity`]) have a counter of their own. It starts with the same
//! value in all invocations and is changed only there, by constants or by turns that are the same for all, so they
//! run out in the same turn, and what the analysis concluded stays true.

mod code;
mod entry;
mod facts;
mod locals;
mod meter;
mod plan;
mod shape;
mod trips;
mod turns;
mod weave;

pub use meter::{
    MAX_BUDGET, METER_BYTES, METER_GROUP, METER_SLOT, METER_STRIDE_BYTES, MeterReading, MeterWords,
    meter_words, read_meter,
};

use crate::admission::Admitted;
use naga::valid::{Capabilities, ModuleInfo, ValidationError, ValidationFlags, Validator};
use naga::{Module, WithSpan};
use plan::{Counter, Plan};

/// How a shader is instrumented.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FuelOptions {
    /// Whether what is spent is counted to the unit: one more atomic operation for each invocation.
    pub profile: bool,
    /// Whether every loop is metered in each turn, those that are provably finite too.
    pub force: bool,
}

/// Where the meter is bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MeterBinding {
    /// `@group`.
    pub group: u32,
    /// `@binding`.
    pub slot: u32,
}

/// A shader that ends.
#[derive(Clone, Debug)]
pub struct Instrumented {
    /// The module. The admitted one, where nothing has to be metered.
    pub module: Module,
    /// What the validator says of it.
    pub info: ModuleInfo,
    /// The name of its only entry point.
    pub entry: String,
    /// What each invocation is charged in any case: the most that it can execute outside metered loops.
    pub static_fuel: u64,
    /// Whether there are metered loops, so that an invocation needs a budget.
    pub is_dynamic: bool,
    /// The meter: a storage buffer with [`METER_BYTES`] for each dispatch, if the shader is dynamic.
    pub meter: Option<MeterBinding>,
}

/// Why a shader could not be instrumented: a fault of this host.
#[derive(Debug, thiserror::Error)]
pub enum InstrumentError {
    /// What came out is not valid.
    #[error("the instrumented shader is not valid")]
    Invalid(#[source] Box<WithSpan<ValidationError>>),
}

/// Charges, and meters what cannot be charged in advance.
///
/// # Errors
/// That the result is not valid, which would be a fault of the pass.
pub fn instrument(
    admitted: &Admitted,
    options: FuelOptions,
) -> Result<Instrumented, InstrumentError> {
    let plan = Plan::of(admitted, options.force);
    let mut instrumented = Instrumented {
        module: admitted.module().clone(),
        info: admitted.info().clone(),
        entry: admitted.entry_point().name.clone(),
        static_fuel: plan.static_fuel,
        is_dynamic: plan.is_dynamic(),
        meter: None,
    };
    if plan.is_dynamic() {
        meter_loops(&mut instrumented.module, &plan, options.profile);
        instrumented.info = validate(&instrumented.module)?;
        instrumented.meter = Some(MeterBinding {
            group: METER_GROUP,
            slot: METER_SLOT,
        });
    }
    Ok(instrumented)
}

fn meter_loops(module: &mut Module, plan: &Plan, is_exact: bool) {
    let counters =
        entry::add_counters(module, plan.uses(Counter::Uniform), plan.uses(Counter::Own));
    let functions = module.functions.iter_mut().map(|(_, function)| function);
    for (function, plan) in functions.zip(&plan.functions) {
        weave::weave(function, plan, counters);
    }
    for point in &mut module.entry_points {
        weave::weave(&mut point.function, &plan.entry, counters);
    }
    entry::wrap(module, counters, is_exact);
}

/// The guest's part was validated for the device at admission; what the pass adds needs no capability.
fn validate(module: &Module) -> Result<ModuleInfo, InstrumentError> {
    Validator::new(ValidationFlags::all(), Capabilities::all())
        .validate(module)
        .map_err(|error| InstrumentError::Invalid(Box::new(error)))
}
