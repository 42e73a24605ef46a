//! One chunk: a fresh store, one instance, one call, and everything dropped at the end.

use crate::arrays::{Input, Output};
use crate::end::{Circumstances, is_blank, outcome_of, outcome_of_stop};
use crate::engine::LoadedKernel;
use crate::entries::{
    ChunkRange, DestinationArgument, Dimension, EntryRequest, KernelError, Scalar, SourceArgument,
};
use crate::guest::capabilities::{InstanceCapabilities, LaunchCapabilities};
use crate::guest::{BodyClock, Guest};
use crate::limiter::Limiter;
use crate::mapping::SharedMappings;
use crate::meter::{ChunkSpent, CpuClock, Meter};
use crate::output::OutputBuffer;
use crate::sampler::{Sampler, Sampling};
use crate::stop::Stop;
use hotcell_model::grant::Grants;
use hotcell_model::limit::{Amount, Breach, Limit};
use hotcell_model::outcome::{Blame, Outcome, OutcomeKind};
use std::sync::Arc;
use std::time::{Duration, Instant};
use wasmtime::component::ResourceTable;
use wasmtime::{Engine, Error, PoolConcurrencyLimitError, Store, UpdateDeadline};

/// What every chunk of a launch has in common.
pub(crate) struct LaunchPlan {
    pub(crate) engine: Engine,
    pub(crate) kernel: Arc<LoadedKernel>,
    pub(crate) meter: Arc<Meter>,
    pub(crate) has_fuel: bool,
    /// Ranges of arrays from this size on are mapped, where they can be.
    pub(crate) map_from_bytes: usize,
    pub(crate) entry: Arc<str>,
    pub(crate) scalars: Vec<Scalar>,
    pub(crate) grants: Grants,
    pub(crate) capabilities: LaunchCapabilities,
    /// Where the guests' time goes, if that was asked for.
    pub(crate) sampler: Option<Arc<Sampler>>,
}

/// What is one chunk's own.
pub(crate) struct ChunkPart {
    pub(crate) index: usize,
    pub(crate) range: ChunkRange,
    pub(crate) dims: Vec<Dimension>,
    pub(crate) sources: Vec<(Arc<str>, Input)>,
    pub(crate) destinations: Vec<(Arc<str>, Output)>,
    /// The bytes of the destinations, in their order.
    pub(crate) outputs: Vec<OutputBuffer>,
    /// Lines that an earlier run of this chunk has logged.
    pub(crate) lines_seen: u64,
    /// Whether other chunks of the launch may be alive beside it.
    pub(crate) is_shared: bool,
}

/// How a chunk ended.
pub(crate) struct ChunkEnd {
    pub(crate) result: Result<(), ChunkFailure>,
    /// The outputs' bytes, in the order they were given.
    pub(crate) outputs: Vec<OutputBuffer>,
    pub(crate) fuel_used: u64,
    pub(crate) instantiate: Duration,
    pub(crate) call: Duration,
    pub(crate) body: Duration,
}

/// Why a chunk has no result.
pub(crate) enum ChunkFailure {
    /// It ended, and so does the launch.
    Ended(Box<Outcome>),
    /// It has to run again, alone. It has logged that many lines.
    Contended(u64),
    /// It does not matter.
    Superseded,
}

/// Runs one chunk.
///
/// A chunk that runs beside others may end as [`ChunkFailure::Contended`], one that runs alone never does.
pub(crate) fn run(plan: &LaunchPlan, part: ChunkPart) -> ChunkEnd {
    let mut timings = ChunkTimings::default();
    let guest = Guest {
        chunk: part.index,
        meter: Arc::clone(&plan.meter),
        limiter: Limiter::new(Arc::clone(&plan.meter)),
        handles: ResourceTable::new(),
        outputs: part.outputs,
        mappings: SharedMappings::new(plan.kernel.initial_memory_bytes, plan.map_from_bytes),
        grants: plan.grants.clone(),
        capabilities: InstanceCapabilities::new(&plan.capabilities, part.index),
        explanation: None,
        body: BodyClock::default(),
        cpu: CpuClock::start(),
        sampling: plan.sampler.as_ref().map(Sampling::begin),
        spent: ChunkSpent::default(),
        lines_seen: part.lines_seen,
        unchecked_bytes: 0,
    };
    let mut store = store(plan, guest);
    // Behind the store, and so dropped before it, on whatever way this function is left.
    let restored = store.data().mappings.restored();
    let arguments = EntryArguments {
        range: part.range,
        dims: part.dims,
        sources: part.sources,
        destinations: part.destinations,
    };
    let result = call(plan, &mut store, arguments, &mut timings);
    store.data_mut().end_output();
    let fuel_used = fuel_used(plan, &store);
    let result =
        result.map_err(|failure| classify(plan, failure, &mut store, fuel_used, part.is_shared));
    let outputs = std::mem::take(&mut store.data_mut().outputs);
    let (meter, mut cpu) = (
        &plan.meter,
        std::mem::replace(&mut store.data_mut().cpu, CpuClock::start()),
    );
    // Resetting the slot is this launch's doing, so its time is charged too.
    drop(restored);
    drop(store);
    meter.charge_cpu(&mut cpu);
    ChunkEnd {
        result,
        outputs,
        fuel_used,
        instantiate: timings.instantiate,
        call: timings.call,
        body: timings.body,
    }
}

#[derive(Default)]
struct ChunkTimings {
    instantiate: Duration,
    call: Duration,
    body: Duration,
}

struct EntryArguments {
    range: ChunkRange,
    dims: Vec<Dimension>,
    sources: Vec<(Arc<str>, Input)>,
    destinations: Vec<(Arc<str>, Output)>,
}

/// What can go wrong while a guest runs.
enum CallFailure {
    /// The component is not what its manifest says.
    WrongType(Error),
    /// Instantiating or running failed.
    Failed(Error),
    /// The kernel returned an error of its own.
    Declined(String),
}

fn store(plan: &LaunchPlan, guest: Guest) -> Store<Guest> {
    let limits = &plan.meter.limits;
    let count = |limit: Limit| usize::try_from(limits.get(limit)).unwrap_or(usize::MAX);
    let mut store = Store::new(&plan.engine, guest);
    store.limiter(|guest| &mut guest.limiter);
    store
        .data_mut()
        .handles
        .set_max_capacity(count(Limit::Handles));
    // What one call may pass to the host at most: a guest cannot pass more than it holds.
    store.set_hostcall_fuel(count(Limit::Memory));
    if plan.has_fuel {
        let set = store.set_fuel(limits.get(Limit::Fuel));
        debug_assert!(set.is_ok(), "fuel is configured");
    }
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|mut context| {
        let guest = context.data_mut();
        guest.meter.check(guest.chunk, &mut guest.cpu)?;
        Sampling::look(&mut context, |guest| &mut guest.sampling);
        Ok(UpdateDeadline::Continue(1))
    });
    store
}

fn call(
    plan: &LaunchPlan,
    store: &mut Store<Guest>,
    arguments: EntryArguments,
    timings: &mut ChunkTimings,
) -> Result<(), CallFailure> {
    let guest = store.data_mut();
    let checked = guest.meter.check(guest.chunk, &mut guest.cpu);
    checked.map_err(|stop| CallFailure::Failed(stop.into()))?;
    check_initial_memory(plan)?;
    let begin = Instant::now();
    let instance = plan
        .kernel
        .pre
        .instantiate(&mut *store)
        .map_err(CallFailure::Failed)?;
    let launch = instance
        .get_typed_func::<(EntryRequest,), (Result<(), KernelError>,)>(
            &mut *store,
            &plan.kernel.launch,
        )
        .map_err(CallFailure::WrongType)?;
    timings.instantiate = begin.elapsed();
    let request = request(plan, store, arguments).map_err(CallFailure::Failed)?;
    let called = Instant::now();
    let returned = launch.call(&mut *store, (request,));
    let now = Instant::now();
    timings.call = now - called;
    timings.body = store.data().body.elapsed(called, now);
    match returned.map_err(CallFailure::Failed)? {
        (Ok(()),) => Ok(()),
        (Err(error),) => Err(CallFailure::Declined(words(&error))),
    }
}

/// Refuses a component whose memory is over the limit from its start. wasmtime's limiter would say the same, but
/// only after the memory was asked of the operating system, which may have a limit of its own by then.
fn check_initial_memory(plan: &LaunchPlan) -> Result<(), CallFailure> {
    let breach = plan
        .meter
        .memory
        .breach(0, plan.kernel.initial_memory_bytes);
    match breach {
        Some(breach) => Err(CallFailure::Failed(Stop::Limit(breach).into())),
        None => Ok(()),
    }
}

/// The request as the guest gets it, with handles made for its arrays.
fn request(
    plan: &LaunchPlan,
    store: &mut Store<Guest>,
    arguments: EntryArguments,
) -> Result<EntryRequest, Error> {
    let handles = &mut store.data_mut().handles;
    let (requested, maximum) = (
        (arguments.sources.len() + arguments.destinations.len()) as u64,
        plan.meter.limits.get(Limit::Handles),
    );
    let full = |_| {
        Stop::Limit(Breach {
            limit: Limit::Handles,
            amount: Amount::Requested(requested),
            maximum,
        })
    };
    let mut sources = Vec::with_capacity(arguments.sources.len());
    for (name, source) in arguments.sources {
        let data = handles.push(source).map_err(full)?;
        sources.push(SourceArgument { name, data });
    }
    let mut destinations = Vec::with_capacity(arguments.destinations.len());
    for (name, destination) in arguments.destinations {
        let data = handles.push(destination).map_err(full)?;
        destinations.push(DestinationArgument { name, data });
    }
    Ok(EntryRequest {
        entry: Arc::clone(&plan.entry),
        dims: arguments.dims,
        scalars: plan.scalars.clone(),
        sources,
        destinations,
        chunk: arguments.range,
    })
}

/// The guest's error in its own words; the host's, where it has none.
fn words(error: &KernelError) -> String {
    let said = |text: &str, otherwise: &str| match is_blank(text) {
        true => otherwise.to_owned(),
        false => text.to_owned(),
    };
    match error {
        KernelError::UnknownEntry(name) => format!(
            "the component has no entry `{}`, though its manifest says so",
            name.as_str()
        ),
        KernelError::BadArgument(argument) => format!(
            "argument `{}`: {}",
            argument.name.as_str(),
            said(
                argument.reason.as_str(),
                "refused, and the kernel did not say why"
            )
        ),
        KernelError::Failed(message) => said(
            message.as_str(),
            "the kernel returned an error without a message",
        ),
    }
}

fn fuel_used(plan: &LaunchPlan, store: &Store<Guest>) -> u64 {
    if !plan.has_fuel {
        return 0;
    }
    let given = plan.meter.limits.get(Limit::Fuel);
    given - store.get_fuel().unwrap_or(given).min(given)
}

fn classify(
    plan: &LaunchPlan,
    failure: CallFailure,
    store: &mut Store<Guest>,
    fuel_used: u64,
    is_shared: bool,
) -> ChunkFailure {
    let error = match failure {
        CallFailure::Declined(words) => {
            // A kernel that was refused GPU work can only say so; the refusal is the cause worth telling.
            let outcome = match store.data().capabilities.denied() {
                Some(breach) => Outcome::breached(breach),
                None => Outcome::failed(OutcomeKind::KernelError, Blame::Guest, words),
            };
            return ChunkFailure::Ended(Box::new(outcome));
        }
        CallFailure::WrongType(error) => {
            let message = format!("the component does not fit this host's interfaces: {error:#}");
            let outcome = Outcome::failed(OutcomeKind::InvalidComponent, Blame::Guest, message);
            return ChunkFailure::Ended(Box::new(outcome));
        }
        CallFailure::Failed(error) => error,
    };
    match error.downcast_ref::<Stop>() {
        Some(Stop::Contended) => {
            let spent = &store.data().spent;
            plan.meter.refund(spent);
            ChunkFailure::Contended(spent.lines)
        }
        // Other chunks of this launch may hold the slots; alone, it may fit.
        None if is_shared && error.is::<PoolConcurrencyLimitError>() => {
            let spent = &store.data().spent;
            plan.meter.refund(spent);
            ChunkFailure::Contended(spent.lines)
        }
        Some(Stop::Superseded) => ChunkFailure::Superseded,
        Some(stop) => ChunkFailure::Ended(Box::new(outcome_of_stop(stop))),
        None => {
            let guest = store.data_mut();
            let circumstances = Circumstances {
                explanation: guest.explanation.take(),
                denied: guest.limiter.denied().or(guest.capabilities.denied()),
                fuel_used: plan.has_fuel.then_some(fuel_used),
                limits: &plan.meter.limits,
            };
            ChunkFailure::Ended(Box::new(outcome_of(&error, &circumstances)))
        }
    }
}
