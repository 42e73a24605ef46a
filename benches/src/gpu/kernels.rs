//! The kernels' GPU forms, run once with a recorder between them and their session.

use super::recording::{Recorder, Recording};
use crate::launches::{self, Subject};
use anyhow::{Context, Result, ensure};
use hotcell::outcome::OutcomeKind;
use hotcell::{Metering, Source};
use hotcell_cases::{Argument, Arguments, Case};
use hotcell_compiler::{Compiler, Parallelism};
use hotcell_gpu::device::Device;
use hotcell_gpu::session::{Checks, Session, SessionOrder};
use hotcell_model::gpu::{GpuLink, NamedShader};
use hotcell_model::grant::{Capability, Grants};
use hotcell_model::job::{Job, JobArray, JobData};
use hotcell_model::limit::{Limit, Limits};
use hotcell_model::manifest::Weight;
use hotcell_model::stop::StopSignal;
use hotcell_runner::{LoadedKernel, OutputBuffer, Runner, RunnerConfig};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The kernels asked for, or all, that have a GPU form.
pub(super) fn names(asked: &[String]) -> Result<Vec<String>> {
    let kernels = hotcell_cases::root().join("kernels");
    let mut names = launches::names(asked)?;
    names.retain(|name| kernels.join(name).join("gpu/Cargo.toml").exists());
    Ok(names)
}

/// What a kernel's GPU form asks for in its first case, and a name for that.
pub(super) fn record(device: &Arc<Device>, name: &str) -> Result<(String, Recording)> {
    let subject = Subject::load(name)?;
    let case = Case::load(name)?.into_iter().next().context("a case")?;
    let arguments = subject.arguments(&case)?;
    let limits = Limits::defaults(Weight::Heavy);
    let runner = Runner::new(Metering::Fast, RunnerConfig::default())?;
    let component = hotcell_cases::component(&format!("{name}-gpu"));
    let component = std::fs::read(&component).with_context(|| component.display().to_string())?;
    let kernel = load(&runner, &component, &limits)?;
    let described = hotcell_compiler::describe(&component, &limits)?.shaders;
    let component = component.into();
    let shaders: Option<Vec<_>> = described
        .iter()
        .map(|shader| shader.of(&component))
        .collect();
    let shaders = shaders.context("shaders within the component")?;
    let signal = Arc::new(StopSignal::default());
    let order = order(&arguments, &limits, &shaders, &signal);
    let recorder = Arc::new(Recorder::new(Session::begin(device, order), shaders));
    let sources = arguments.inputs();
    let sources = sources.map(|input| Source::Memory(input.data.bytes().to_vec().into()));
    let data = JobData {
        sources: sources.collect(),
        shaders: Vec::new(),
        gpu: Some(Arc::clone(&recorder) as Arc<dyn GpuLink>),
        files: None,
    };
    let outputs = arguments.outputs().map(|output| {
        let len = usize::try_from(output.ty.size_bytes())?;
        Ok(OutputBuffer::zeroed(len)?)
    });
    let outputs = outputs.collect::<Result<Vec<_>>>()?;
    let job = job(&arguments, limits);
    let ran = runner.run(&kernel, job, data, outputs, signal, Arc::new(()));
    let message = &ran.outcome.message;
    ensure!(ran.outcome.kind == OutcomeKind::Done, "{message}");
    Ok((format!("{name} {}", case.name), recorder.take()))
}

/// A session to which every array comes by way of the runner, so that its bytes are recorded.
fn order(
    arguments: &Arguments,
    limits: &Limits,
    shaders: &[NamedShader],
    signal: &Arc<StopSignal>,
) -> SessionOrder {
    SessionOrder {
        limits: limits.clone(),
        deadline: Instant::now() + limits.duration(Limit::Timeout),
        signal: Arc::clone(signal),
        has_profile: false,
        shaders: shaders.to_vec(),
        has_text: false,
        inputs: arguments.inputs().map(|_| None).collect(),
        outputs: arguments.outputs().map(|_| None).collect(),
        checks: Checks::Full,
    }
}

fn load(runner: &Runner, component: &[u8], limits: &Limits) -> Result<Arc<LoadedKernel>> {
    let compiler = Compiler::new(Metering::Fast, Parallelism::AllCores)?;
    let artifact = compiler.compile(component, limits)?;
    // SAFETY: the artifact is what this host's compiler has just returned.
    let kernel = unsafe { runner.load(&artifact) };
    Ok(Arc::new(kernel?))
}

fn grants() -> Grants {
    Grants::built_in().with(Capability::Gpu)
}

fn job(arguments: &Arguments, limits: Limits) -> Arc<Job> {
    Arc::new(Job {
        entry: arguments.kernel.name().to_owned(),
        dims: arguments.dims.clone(),
        scalars: arguments.scalars.clone(),
        arrays: arguments.arrays.iter().map(job_array).collect(),
        split: None,
        limits,
        grants: grants(),
        seed: Some(0),
        threads: 1,
        stop_grace: Duration::ZERO,
        has_gpu_profile: false,
        sample_every: None,
    })
}

fn job_array(array: &Argument) -> JobArray {
    JobArray {
        name: array.name.clone(),
        is_read: array.role.is_read(),
        is_written: array.role.is_written(),
        size_bytes: array.ty.size_bytes(),
        split_stride_bytes: None,
        halo: 0,
    }
}
