//! In-process isolation: compiler and runner inside the caller's process.
//!
//! The Wasm sandbox is the only wall. It is chosen explicitly and named in every report.

mod gpu;

use self::gpu::Gpus;
use crate::artifacts::VerifiedArtifact;
use crate::component::Component;
use crate::isolation::{Evidence, Isolate, LoadFailure, Loaded, LoadedKey, Order, Ran, WorkResult};
use crate::kept::Kept;
use crate::sealed;
use crate::zeroed::ZeroedMemory;
use hotcell_compiler::{CompileError, Compiler, Parallelism};
use hotcell_model::component::Description;
use hotcell_model::gpu::{GpuDevice, GpuLink};
use hotcell_model::grant::Capability;
use hotcell_model::job::{Job, JobArray, JobData, Observer, RunEnd, Source};
use hotcell_model::limit::Limits;
use hotcell_model::outcome::{Blame, Outcome, OutcomeKind};
use hotcell_model::profile::{EngineProfile, Isolation, Metering};
use hotcell_model::stop::StopSignal;
use hotcell_model::tenant::Tenant;
use hotcell_runner::{LoadError, LoadedKernel, OutputBuffer, Runner, RunnerConfig};
use hotcell_sandbox::memory::{OutputMemory, SealError};
use std::io;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, OnceLock};

/// The most runners that are kept: each reserves address space for its slots, and has threads. Those whose kernels
/// are still loaded live on with them.
const RUNNERS: u64 = 32;

/// Compilers and runners of this process. No two tenants share a runner, and so none shares a pool.
pub(crate) struct InProcess {
    config: RunnerConfig,
    compilers: [OnceLock<Result<Compiler, String>>; Metering::ALL.len()],
    runners: Kept<(Tenant, Metering), Runner>,
    gpus: Arc<Gpus>,
    zeroed: Arc<ZeroedMemory>,
}

impl InProcess {
    pub(crate) fn new(config: RunnerConfig, gpu: GpuDevice) -> Self {
        Self {
            config,
            compilers: Default::default(),
            runners: Kept::of_count(RUNNERS),
            gpus: Arc::new(Gpus::new(gpu)),
            zeroed: Arc::default(),
        }
    }

    fn runner(&self, tenant: &Tenant, metering: Metering) -> Result<Arc<Runner>, Outcome> {
        let key = (tenant.clone(), metering);
        let make = || Runner::new(metering, self.config).map_err(|error| host_fault(&error));
        self.runners.get_or_try_insert(&key, make)
    }

    fn artifact(
        &self,
        component: &[u8],
        metering: Metering,
        limits: &Limits,
    ) -> Result<VerifiedArtifact, Outcome> {
        let compiler = self.compilers[metering as usize].get_or_init(|| {
            Compiler::new(metering, Parallelism::AllCores).map_err(|error| error.to_string())
        });
        let compiler = compiler.as_ref().map_err(host_fault)?;
        let artifact = compiler
            .compile(component, limits)
            .map_err(|error| match error {
                CompileError::TooMuch(breach) => Outcome::breached(breach),
                CompileError::Refused(_) => misfit(&error),
                CompileError::Setup(_) => host_fault(&error),
            })?;
        VerifiedArtifact::fresh(&artifact).map_err(|error| host_fault(&error))
    }
}

impl Isolate for InProcess {
    fn kind(&self) -> Isolation {
        Isolation::InProcess
    }

    fn describe(&self, component: &Component, order: Order<'_>) -> WorkResult<Description> {
        hotcell_compiler::describe(component.bytes(), order.limits)
            .map_err(|refusal| refusal.outcome())
            .into()
    }

    fn profile(&self, metering: Metering) -> EngineProfile {
        hotcell_engine::profile(metering)
    }

    fn compile(
        &self,
        component: &Component,
        metering: Metering,
        order: Order<'_>,
    ) -> WorkResult<VerifiedArtifact> {
        self.artifact(component.bytes(), metering, order.limits)
            .into()
    }

    fn load(
        &self,
        key: &LoadedKey,
        artifact: &Arc<VerifiedArtifact>,
        _order: Order<'_>,
    ) -> Result<Arc<dyn Loaded>, LoadFailure> {
        let ended = |outcome| LoadFailure::Ended(Box::new(outcome), Evidence::default());
        let runner = self.runner(&key.tenant, key.metering).map_err(ended)?;
        // SAFETY: a `VerifiedArtifact` is what this host's compiler returned: either just now, or it was
        // read back and its keyed digest checked over the very bytes passed here.
        let kernel = unsafe { runner.load(artifact.bytes()) };
        let kernel = kernel.map_err(|error| match error {
            LoadError::Mismatch(why) => LoadFailure::Stale(why),
            LoadError::TooLarge(_) | LoadError::Interfaces(_) => ended(misfit(&error)),
        })?;
        let kernel = Arc::new(kernel);
        Ok(Arc::new(LoadedInProcess {
            runner,
            kernel,
            tenant: key.tenant.clone(),
            gpus: Arc::clone(&self.gpus),
            zeroed: Arc::clone(&self.zeroed),
            map_from_bytes: self.config.map_from_bytes,
        }))
    }
}

struct LoadedInProcess {
    runner: Arc<Runner>,
    kernel: Arc<LoadedKernel>,
    tenant: Tenant,
    gpus: Arc<Gpus>,
    zeroed: Arc<ZeroedMemory>,
    map_from_bytes: usize,
}

impl Loaded for LoadedInProcess {
    fn shared(self: Arc<Self>) -> Arc<dyn Loaded> {
        self
    }

    fn run(
        &self,
        job: &Job,
        data: &JobData,
        signal: &Arc<StopSignal>,
        observer: &Arc<dyn Observer>,
    ) -> Ran {
        let (outputs, memories) = match self.outputs(job) {
            Ok(outputs) => outputs.into_iter().unzip(),
            Err(outcome) => return RunEnd::not_run(outcome).into(),
        };
        let gpu = match job.grants.has(Capability::Gpu) {
            true => match self.gpus.begin(&self.tenant, job, &data.shaders, signal) {
                Ok(link) => Some(link),
                Err(outcome) => return RunEnd::not_run(outcome).into(),
            },
            false => None,
        };
        let link = gpu.clone();
        let data = JobData {
            sources: data.sources.iter().map(trusted).collect(),
            shaders: Vec::new(),
            gpu: link.map(|link| link as Arc<dyn GpuLink>),
            files: data.files.clone(),
        };
        let (signal, observer) = (Arc::clone(signal), Arc::clone(observer));
        let job = Arc::new(job.clone());
        let end = self.runner.run(
            &self.kernel,
            Arc::clone(&job),
            data,
            outputs,
            signal,
            observer,
        );
        let mut ran = Ran::from(finished(end, memories));
        if let Some(gpu) = gpu {
            gpu.conclude(&mut ran);
        }
        ran
    }
}

/// Where an output goes: its buffer, and the memory that this is of, where that can be mapped.
type OutputPlace = (OutputBuffer, Option<OutputMemory>);

impl LoadedInProcess {
    /// Zeroed memory for the arrays that are written.
    fn outputs(&self, job: &Job) -> Result<Vec<OutputPlace>, Outcome> {
        let written = job.arrays.iter().filter(|array| array.is_written);
        let place = |array: &JobArray| {
            self.output(array.size_bytes).map_err(|error| {
                let (name, bytes) = (&array.name, array.size_bytes);
                host_fault(&format!(
                    "no memory for output `{name}` of {bytes} bytes: {error}"
                ))
            })
        };
        written.map(place).collect()
    }

    fn output(&self, len: u64) -> io::Result<OutputPlace> {
        let index = usize::try_from(len).map_err(io::Error::other)?;
        let memory = (index >= self.map_from_bytes).then(|| self.zeroed.take(len));
        // A process may have less memory in files than in all.
        let Some(Ok(memory)) = memory else {
            return Ok((OutputBuffer::zeroed(index).map_err(io::Error::other)?, None));
        };
        let file = memory.as_fd().try_clone_to_owned()?;
        // SAFETY: they are the file's pages, whose size is fixed.
        let buffer = unsafe { mapped(&memory)?.in_file(Arc::new(file)) };
        Ok((buffer, Some(memory)))
    }
}

/// All of an output's memory, which nobody else of this process writes.
fn mapped(memory: &OutputMemory) -> io::Result<OutputBuffer> {
    let mut mapped = memory.map()?;
    let (start, len) = (mapped.as_mut().as_mut_ptr(), mapped.len());
    // SAFETY: the mapping is initialised (by the operating system, with zeros), stays where it is while its owner
    // lives, and is reached through the buffer alone: the lock is never taken again.
    Ok(unsafe { OutputBuffer::from_raw(start, len, Arc::new(Mutex::new(mapped))) })
}

/// A source as a runner may have it: memory is mapped as such where it is known to be sealed.
fn trusted(source: &Source) -> Source {
    match source {
        Source::Sealed { file, bytes } if sealed::memory(file, bytes.len() as u64).is_err() => {
            Source::Memory(bytes.clone())
        }
        _ => source.clone(),
    }
}

/// The end with its outputs as they cannot change any more.
fn finished(end: RunEnd<OutputBuffer>, memories: Vec<Option<OutputMemory>>) -> RunEnd<Source> {
    let mut failed = None;
    let mut end = end.map_outputs(|buffers| {
        let sources = buffers
            .into_iter()
            .zip(memories)
            .map(|(buffer, memory)| match memory {
                None => Ok(Source::Memory(buffer.into_bytes())),
                Some(memory) => {
                    drop(buffer);
                    taken_over(memory)
                }
            });
        let sources: io::Result<_> = sources.collect();
        sources.unwrap_or_else(|error| {
            failed = Some(error);
            Vec::new()
        })
    });
    if let Some(error) = failed {
        end.outcome = host_fault(&format!("the outputs could not be taken over: {error}"));
    }
    end
}

/// An output's bytes, sealed, so that they go into the next launch as they are.
fn taken_over(memory: OutputMemory) -> io::Result<Source> {
    let same = memory.try_clone()?;
    match memory.seal() {
        Ok(memory) => sealed::source(memory),
        // A child that this process forked meanwhile has it mapped, too: no enemy, but one who may not end for a while.
        Err(SealError::StillMapped) => Ok(Source::Memory(mapped(&same)?.into_bytes())),
        Err(error) => Err(error.into()),
    }
}

/// What the compiler or the linker refuses, though the component was described.
fn misfit(error: &impl ToString) -> Outcome {
    let message = hotcell_model::text::escape(&error.to_string(), 2048);
    Outcome::failed(OutcomeKind::InvalidComponent, Blame::Guest, message)
}

fn host_fault(error: &impl ToString) -> Outcome {
    Outcome::failed(OutcomeKind::HostFault, Blame::Host, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_that_somebody_else_has_mapped_is_taken_over_unsealed() {
        let output = || OutputMemory::create(8).unwrap();
        assert!(matches!(taken_over(output()), Ok(Source::Sealed { .. })));
        let memory = output();
        let mut other = memory.map().unwrap();
        other.as_mut()[0] = 7;
        match taken_over(memory) {
            Ok(Source::Memory(bytes)) => assert_eq!(bytes[..2], [7, 0]),
            other => panic!("{other:?}"),
        }
    }
}
