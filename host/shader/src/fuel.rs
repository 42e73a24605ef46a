//! GPU fuel: makes every loop of an admitted shader finite, so that it ends whatever it is given.
//!
//! [`instrument`] charges what it can in advance and meters the rest. *Why every instrumented shader ends:* WGSL
//! has no recursion, and [`naga::Statement::Loop`] is the only way back. A loop is either finite, proven by
//! `trips` from constants, and paid for by what encloses it or where it is reached; or its turns were computed and paid
//! for before it (`turns`); or each turn pays first (`weave`) and leaves the loop when it cannot. Counters never wrap; what
//! they hold comes from one pool for all invocations of a batch (`meter`): these together execute at most their static
//! charges and what the pool held, in the units of [`crate::admission::cost`], their garbage after running out included.
//!
//! *Why barriers are still met:* a loop that runs out is left by `break`, never by `return`. Loops in which the
//! workgroup goes in step ([`crate::admission::uniformity`]) have a counter of their own, if there is anything that has
//! to be met together. It starts with the same value in all invocations and is changed only there: by constants, by turns
//! that are the same for all, and by what one invocation draws for all. So they run out in the same turn, and what the
//! analysis concluded stays true. Only where the driver bounds turns may the pool close between two parts of a workgroup
//! (`entry`): such a driver gives up who is left alone at a barrier, and the launch ends as one whose fuel ran out.
//!
//! *Why a driver cannot hide anything:* each invocation that comes to its end is counted. Where one is missing, the driver
//! has given it up, and with it what it had left. A driver that ends loops by itself, silently, after so many turns of an
//! invocation is told ([`FuelOptions::turns`]): it ends a last one in the epilogue too.

mod code;
mod draw;
mod entry;
pub(crate) mod facts;
mod known;
pub(crate) mod locals;
mod meter;
mod plan;
pub(crate) mod shape;
pub(crate) mod trips;
mod turns;
mod weave;

pub use meter::{
    FuelPool, FuelPoolState, METER_BYTES, METER_GROUP, METER_SLOT, METER_STRIDE_BYTES,
    MOST_ALLOWANCE, MOST_FUEL, MeterReading, MeterWords, POOL_BYTES, POOL_SLOT, PoolReading,
    PoolWords, TERMS_BYTES, TERMS_SLOT, TermWords, read_slot,
};

use crate::admission::Admitted;
use naga::valid::{Capabilities, ModuleInfo, ValidationError, ValidationFlags, Validator};
use naga::{Module, Span, WithSpan};
use plan::{Counter, Plan};

/// How a shader is instrumented.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FuelOptions {
    /// Whether what is spent is counted to the unit: one more atomic operation for each invocation.
    pub profile: bool,
    /// Whether every loop is metered in each turn, those that are provably finite too.
    pub force: bool,
    /// After how many turns of all its loops the driver ends the loops of an invocation, where it does.
    pub turns: Option<u32>,
    /// Whether the device has subgroup operations. Where the driver bounds turns one invocation adds what its subgroup spent: such
    /// a driver runs a subgroup in step, on a processor that runs one at a time.
    pub has_subgroups: bool,
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
    /// The most fuel that an invocation can spend while it runs, where the driver bounds its turns: it is given no less.
    /// `None` where it draws what it needs.
    pub allowance: Option<u64>,
    /// Whether invocations that come to their end are counted. Without anything that has to be met together there is nothing at
    /// which a driver could give one up: software drivers run each to its end, one vector after the other.
    pub is_counted: bool,
    /// Whether it is metered: it has loops that are paid for while it runs, or that the driver might end.
    pub is_dynamic: bool,
    /// The meter, if the shader is dynamic: a storage buffer with [`METER_BYTES`] for each dispatch; beside it are the pool, and
    /// a uniform buffer with [`TERMS_BYTES`].
    pub meter: Option<MeterBinding>,
}

/// Why a shader could not be instrumented.
#[derive(Debug, thiserror::Error)]
pub enum InstrumentError {
    /// It certainly makes more turns than the driver lets it.
    #[error(
        "the loops of an invocation make {turns} turns together, and this device's driver ends them, silently, after {limit}: give each invocation less to do, and use more of them or more dispatches"
    )]
    TooManyTurns {
        /// The loop that makes most of them.
        span: Span,
        /// How many there are at least.
        turns: u64,
        /// How many there may be.
        limit: u64,
    },
    /// What came out is not valid, which is a fault of this host.
    #[error("the instrumented shader is not valid")]
    Invalid(#[source] Box<WithSpan<ValidationError>>),
}

/// Charges, and meters what cannot be charged in advance.
///
/// # Errors
/// More turns than the driver lets an invocation make; or a result that is not valid, which would be a fault of the pass.
pub fn instrument(
    admitted: &Admitted,
    options: FuelOptions,
) -> Result<Instrumented, InstrumentError> {
    let plan = Plan::of(admitted, options)?;
    let mut instrumented = Instrumented {
        module: admitted.module().clone(),
        info: admitted.info().clone(),
        entry: admitted.entry_point().name.clone(),
        static_fuel: plan.static_fuel,
        is_counted: plan.is_metered() && is_counted(admitted, options),
        allowance: plan.allowance(),
        is_dynamic: plan.is_metered(),
        meter: None,
    };
    if plan.is_metered() {
        meter_loops(&mut instrumented, &plan, options);
        instrumented.info = validate(&instrumented.module)?;
        instrumented.meter = Some(MeterBinding {
            group: METER_GROUP,
            slot: METER_SLOT,
        });
    }
    Ok(instrumented)
}

/// Whether a driver could give up an invocation: one that bounds turns is known to run each to its end or to a barrier.
fn is_counted(admitted: &Admitted, options: FuelOptions) -> bool {
    options.turns.is_none() || admitted.is_in_step()
}

fn meter_loops(instrumented: &mut Instrumented, plan: &Plan, options: FuelOptions) {
    let module = &mut instrumented.module;
    let has_draws = options.turns.is_none();
    let uses = [Counter::Uniform, Counter::Own].map(|counter| plan.uses(counter));
    let counters = entry::add_counters(module, uses, has_draws);
    let functions = module.functions.iter_mut().map(|(_, function)| function);
    for (function, plan) in functions.zip(&plan.functions) {
        weave::weave(function, plan, &counters);
    }
    for point in &mut module.entry_points {
        weave::weave(&mut point.function, &plan.entry, &counters);
    }
    let epilogue = entry::Epilogue {
        has_profile: options.profile,
        may_be_cut: plan.may_be_cut(),
        is_counted: instrumented.is_counted,
        adds_together: options.has_subgroups && !has_draws,
    };
    entry::wrap(module, &counters, epilogue);
}

/// The guest's part was validated for the device at admission; what the pass adds needs no capability.
fn validate(module: &Module) -> Result<ModuleInfo, InstrumentError> {
    Validator::new(ValidationFlags::all(), Capabilities::all())
        .validate(module)
        .map_err(|error| InstrumentError::Invalid(Box::new(error)))
}
