//! Bare wasmtime: the same component in the same engine and pool, with nothing of hotcell around it.
//!
//! It has no limiter, no counters, no deadline and no report, and it is what an embedder would write
//! who trusts the component. With [`Checks::None`] the machine code has no epoch and fuel checks
//! either: what metering costs is measured against that.

use anyhow::{Context, Result};
use bytes::Bytes;
use hotcell_cases::Arguments;
use hotcell_model::component::{ENTRIES, PACKAGE_VERSION};
use hotcell_model::job::Split;
use hotcell_model::manifest::Dim;
use hotcell_model::profile::Metering;
use hotcell_runner::entries::{
    ChunkRange, DestinationArgument, Dimension, EmittedLevel, EntryRequest, Input, KernelError,
    Output, Scalar, SourceArgument,
};
use std::sync::Arc;
use std::time::{Duration, Instant};
use wasmtime::component::{
    Component, ComponentExportIndex, InstancePre, Linker, Resource, ResourceType, WasmList, WasmStr,
};
use wasmtime::{
    Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store, StoreContextMut,
};

/// What the machine code checks while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checks {
    /// Nothing.
    None,
    /// What hotcell's `strict` does; nothing ever stops it here.
    Strict,
}

/// A component, compiled and linked.
pub(crate) struct Bare {
    engine: Engine,
    pre: InstancePre<State>,
    launch: ComponentExportIndex,
    checks: Checks,
}

/// How long one launch took.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Times {
    /// From the last input dropped to the first write, over all chunks.
    pub(crate) body: Duration,
    /// Everything, instances and their end included.
    pub(crate) total: Duration,
}

#[derive(Default)]
struct State {
    inputs: Vec<Bytes>,
    outputs: Vec<Vec<u8>>,
    last_input_dropped: Option<Instant>,
    first_write: Option<Instant>,
}

impl Bare {
    /// Compiles and links a component.
    pub(crate) fn load(component: &[u8], checks: Checks) -> Result<Self> {
        let (engine, component, pre) = compile(component, checks).map_err(foreign)?;
        let entries = component.get_export_index(None, &*format!("{ENTRIES}@{PACKAGE_VERSION}"));
        let entries = entries.context("the export")?;
        let launch = component
            .get_export_index(Some(&entries), "launch")
            .context("its function")?;
        Ok(Self {
            engine,
            pre,
            launch,
            checks,
        })
    }

    /// Runs a launch: one instance for each of the chunks that hotcell would make.
    pub(crate) fn run(&self, launch: &BareLaunch) -> Result<Times> {
        let began = Instant::now();
        let mut times = Times::default();
        for chunk in &launch.chunks {
            let body = self.run_chunk(launch, chunk).map_err(foreign)?;
            times.body += body.context("the kernel failed")?;
        }
        times.total = began.elapsed();
        Ok(times)
    }

    /// The body's time; `None` if the kernel returned an error.
    fn run_chunk(&self, launch: &BareLaunch, part: &Part) -> wasmtime::Result<Option<Duration>> {
        let outputs = part.output_bytes.iter().map(|len| vec![0; *len]).collect();
        let state = State {
            inputs: part.inputs.clone(),
            outputs,
            ..State::default()
        };
        let mut store = Store::new(&self.engine, state);
        if self.checks == Checks::Strict {
            store.set_fuel(u64::MAX)?;
            store.set_epoch_deadline(u64::MAX / 2);
        }
        let instance = self.pre.instantiate(&mut store)?;
        let function = instance.get_typed_func::<(EntryRequest,), (Result<(), KernelError>,)>(
            &mut store,
            &self.launch,
        )?;
        let called = Instant::now();
        let (result,) = function.call(&mut store, (launch.request(part),))?;
        let returned = Instant::now();
        let state = store.data();
        let start = state.last_input_dropped.unwrap_or(called);
        let end = state.first_write.unwrap_or(returned);
        Ok(result.ok().map(|()| end.saturating_duration_since(start)))
    }
}

fn compile(
    component: &[u8],
    checks: Checks,
) -> wasmtime::Result<(Engine, Component, InstancePre<State>)> {
    let mut config = hotcell_engine::config(Metering::Strict);
    if checks == Checks::None {
        config.epoch_interruption(false).consume_fuel(false);
    }
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool()));
    let engine = Engine::new(&config)?;
    let component = Component::from_binary(&engine, component)?;
    let pre = linker(&engine)?.instantiate_pre(&component)?;
    Ok((engine, component, pre))
}

/// wasmtime's errors are of a type of their own.
fn foreign(error: wasmtime::Error) -> anyhow::Error {
    anyhow::anyhow!("{error:#}")
}

/// One launch, cut as hotcell cuts it.
pub(crate) struct BareLaunch {
    entry: Arc<str>,
    scalars: Vec<Scalar>,
    sources: Vec<Arc<str>>,
    destinations: Vec<Arc<str>>,
    chunks: Vec<Part>,
}

struct Part {
    chunk: ChunkRange,
    dims: Vec<Dimension>,
    inputs: Vec<Bytes>,
    output_bytes: Vec<usize>,
}

impl BareLaunch {
    /// Prepares the launch of a case.
    pub(crate) fn new(arguments: &Arguments) -> Result<Self> {
        let names = |is_wanted: fn(&hotcell_cases::Argument) -> bool| {
            let arrays = arguments
                .arrays
                .iter()
                .filter(move |array| is_wanted(array));
            arrays.map(|array| Arc::from(array.name.as_str())).collect()
        };
        let scalars = arguments.scalars.iter().map(|(name, value)| Scalar {
            name: name.as_str().into(),
            value: (*value).into(),
        });
        let bounds = bounds(arguments);
        let chunks = bounds
            .windows(2)
            .map(|range| part(arguments, range[0], range[1]));
        Ok(Self {
            entry: arguments.kernel.name().into(),
            scalars: scalars.collect(),
            sources: names(|array| array.role.is_read()),
            destinations: names(|array| array.role.is_written()),
            chunks: chunks.collect::<Result<_>>()?,
        })
    }

    fn request(&self, part: &Part) -> EntryRequest {
        let (sources, destinations) = (self.sources.iter(), self.destinations.iter());
        let sources = (0..).zip(sources).map(|(rep, name)| SourceArgument {
            name: Arc::clone(name),
            data: Resource::new_own(rep),
        });
        let destinations = (0..)
            .zip(destinations)
            .map(|(rep, name)| DestinationArgument {
                name: Arc::clone(name),
                data: Resource::new_own(rep),
            });
        EntryRequest {
            entry: Arc::clone(&self.entry),
            dims: part.dims.clone(),
            scalars: self.scalars.clone(),
            sources: sources.collect(),
            destinations: destinations.collect(),
            chunk: part.chunk,
        }
    }
}

/// Where hotcell cuts the launch; `[0, 1]` where it does not.
fn bounds(arguments: &Arguments) -> Vec<u64> {
    let kernel = &arguments.kernel;
    let Some(dim) = kernel
        .split()
        .and_then(|split| kernel.dims().iter().position(|d| d == split))
    else {
        return vec![0, 1];
    };
    let extent = |name: &str| {
        let dim = arguments.dims.iter().find(|(known, _)| known == name);
        let scalar = || {
            arguments
                .scalars
                .iter()
                .find(|(known, _)| known == name)?
                .1
                .as_extent()
        };
        dim.map(|(_, extent)| *extent).or_else(scalar).or(Some(0))
    };
    let written = || arguments.outputs().map(|output| output.ty.elements()).sum();
    let operations = kernel.cost().and_then(|cost| cost.evaluate(extent).ok());
    Split::cut(
        dim,
        arguments.dims[dim].1,
        operations.unwrap_or_else(written),
        split_strides(arguments, arguments.dims[dim].1),
    )
    .bounds
}

/// The bytes per index of the split dimension of each array that has it.
fn split_strides(arguments: &Arguments, extent: u64) -> Vec<u64> {
    let split = arguments.kernel.split();
    let arrays = arguments.arrays.iter().zip(arguments.kernel.arrays());
    let is_cut =
        |dim: Option<&Dim>| matches!(dim, Some(Dim::Name(name)) if Some(name.as_str()) == split);
    arrays
        .filter(|(_, parameter)| is_cut(parameter.dims.first()))
        .map(|(array, _)| array.ty.size_bytes() / extent.max(1))
        .collect()
}

/// What the chunk from `start` to `end` gets.
fn part(arguments: &Arguments, start: u64, end: u64) -> Result<Part> {
    let split = arguments.kernel.split();
    let is_split = |name: &str| Some(name) == split;
    let dims = arguments.dims.iter().map(|(name, extent)| Dimension {
        name: name.as_str().into(),
        extent: if is_split(name) { end - start } else { *extent },
    });
    let total = arguments
        .dims
        .iter()
        .find(|(name, _)| is_split(name))
        .map_or(1, |(_, n)| *n);
    let (mut inputs, mut output_bytes) = (Vec::new(), Vec::new());
    for (array, parameter) in arguments.arrays.iter().zip(arguments.kernel.arrays()) {
        let is_cut = matches!(parameter.dims.first(), Some(Dim::Name(name)) if is_split(name));
        let size = array.ty.size_bytes();
        // What is only read may reach over the chunk's edges, where there is anything.
        let halo = u64::from(parameter.halo);
        let row = size / total;
        let range = match is_cut {
            true => start.saturating_sub(halo) * row..(end + halo).min(total) * row,
            false => 0..size,
        };
        let (from, to) = (usize::try_from(range.start)?, usize::try_from(range.end)?);
        if array.role.is_read() {
            inputs.push(Bytes::copy_from_slice(&array.data.bytes()[from..to]));
        }
        if array.role.is_written() {
            output_bytes.push(to - from);
        }
    }
    let chunk = ChunkRange {
        start,
        len: end - start,
        total,
    };
    Ok(Part {
        chunk,
        dims: dims.collect(),
        inputs,
        output_bytes,
    })
}

/// hotcell's pool: the same slots, kept resident as much.
fn pool() -> PoolingAllocationConfig {
    let runner = hotcell_runner::RunnerConfig::default();
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(runner.slots)
        .total_core_instances(runner.slots * 4)
        .total_memories(runner.slots)
        .total_tables(runner.slots * 2)
        .table_elements(100_000)
        .max_memory_size(4 << 30)
        .max_unused_warm_slots(runner.slots)
        .decommit_batch_size(1)
        .linear_memory_keep_resident(runner.keep_resident_bytes)
        .table_keep_resident(64 << 10)
        .pagemap_scan(Enabled::Auto);
    pool
}

type Caller<'a> = StoreContextMut<'a, State>;

/// The imports of the kernels' world, with the least behind them.
fn linker(engine: &Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::<State>::new(engine);
    let name = |interface: &str| format!("hotcell:kernel/{interface}@{PACKAGE_VERSION}");
    let mut arrays = linker.instance(&name("arrays"))?;
    arrays.resource("input", ResourceType::host::<Input>(), |mut store, _| {
        let state = store.data_mut();
        // A streamed input is dropped after the last write: its body begins with the call.
        if state.first_write.is_none() {
            state.last_input_dropped = Some(Instant::now());
        }
        Ok(())
    })?;
    arrays.resource("output", ResourceType::host::<Output>(), |_, _| Ok(()))?;
    arrays.func_wrap(
        "[method]input.read",
        |store: Caller<'_>, (input, offset, len): (Resource<Input>, u64, u32)| {
            let start = usize::try_from(offset)?;
            Ok((store.data().inputs[input.rep() as usize].slice(start..start + len as usize),))
        },
    )?;
    arrays.func_wrap(
        "[method]input.size-bytes",
        |store: Caller<'_>, (input,): (Resource<Input>,)| {
            Ok((store.data().inputs[input.rep() as usize].len() as u64,))
        },
    )?;
    arrays.func_wrap(
        "[method]output.write",
        |mut store: Caller<'_>, (output, offset, data): (Resource<Output>, u64, WasmList<u8>)| {
            let state = store.data_mut();
            state.first_write.get_or_insert_with(Instant::now);
            let mut bytes = std::mem::take(&mut state.outputs[output.rep() as usize]);
            let start = usize::try_from(offset)?;
            bytes[start..start + data.len()].copy_from_slice(data.as_le_slice(&store));
            store.data_mut().outputs[output.rep() as usize] = bytes;
            Ok(())
        },
    )?;
    arrays.func_wrap(
        "[method]output.buffer",
        |_: Caller<'_>, (_, _, len): (Resource<Output>, u64, u32)| {
            Ok((Bytes::from(vec![0; usize::try_from(len)?]),))
        },
    )?;
    arrays.func_wrap(
        "[method]output.size-bytes",
        |store: Caller<'_>, (output,): (Resource<Output>,)| {
            Ok((store.data().outputs[output.rep() as usize].len() as u64,))
        },
    )?;
    linker
        .instance(&name("failure"))?
        .func_wrap("explain", |_: Caller<'_>, (_,): (WasmStr,)| Ok(()))?;
    linker
        .instance(&name("log"))?
        .func_wrap("emit", |_: Caller<'_>, _: (EmittedLevel, WasmStr)| Ok(()))?;
    let mut control = linker.instance(&name("control"))?;
    control.func_wrap("should-stop", |_: Caller<'_>, (): ()| Ok((false,)))?;
    control.func_wrap("progress", |_: Caller<'_>, _: (u64, u64)| Ok(()))?;
    Ok(linker)
}
