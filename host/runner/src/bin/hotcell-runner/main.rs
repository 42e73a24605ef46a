//! `hotcell-runner`: one tenant's launches of one component, in a confined process without a compiler.
//!
//! 1. Put on every layer that does not depend on the artifact, while nothing hostile has been seen.
//! 2. Start the threads that will run guests, and say which layers are on.
//! 3. Load the artifact under the load-phase filter: it may be malicious machine code.
//! 4. Lock every thread. From here on nothing new becomes executable, and no signal handler changes.
//! 5. Run launches, one after the other, until the supervisor is gone.

mod arguments;
mod arrays;
mod code;
mod server;
mod stop;

use arguments::RunnerArguments;
use code::ArtifactCode;
use hotcell_model::frame::{self, FromRunner, Hello, LoadRequest, ToRunner};
use hotcell_model::grant::Grants;
use hotcell_model::layer::WorkerKind;
use hotcell_runner::{LoadError, LoadedKernel, Runner, open_pagemap};
use hotcell_sandbox::BUILD_ID;
use hotcell_sandbox::channel::{Channel, Received};
use hotcell_sandbox::end::end_now;
use hotcell_sandbox::lockdown::{Birth, ResourceLimits, Walled};
use hotcell_sandbox::memory::SealedMemory;
use hotcell_sandbox::worker::{EXIT_PANIC, EXIT_SETUP, keep_freed_memory, run, send, words};
use server::RunnerServer;
use std::error::Error;
use std::io;
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::sync::Arc;
use stop::Stopper;

fn main() -> ExitCode {
    run(WorkerKind::Runner, start)
}

fn start() -> Result<(), Box<dyn Error>> {
    keep_freed_memory();
    let birth = Birth::begin(WorkerKind::Runner)?;
    let (channel, control) = (
        Arc::new(Channel::from_standard_input()?),
        Channel::from_standard_output()?,
    );
    // It stays open for last words, whatever fails.
    std::mem::forget(Arc::clone(&channel));
    let arguments = RunnerArguments::parse(std::env::args().skip(1))?;
    // What is looked up once and kept: after the walls it cannot be asked for any more.
    // The operating system asks about physical addresses whoever opened the page map, and not who reads it.
    birth.without_capabilities(open_pagemap)?;
    let _ = rustix::param::page_size();
    let limits = ResourceLimits {
        data_bytes: arguments.data_bytes,
        address_space_bytes: None,
        cpu_seconds: None,
        ..ResourceLimits::default()
    };
    let walled = birth.wall(&limits)?;
    end_on_panic(&channel);

    let code = Arc::new(ArtifactCode::default());
    let memory = Arc::clone(&code) as Arc<dyn wasmtime::CustomCodeMemory>;
    let runner = Runner::with_code_memory(arguments.metering, arguments.runner(), memory)?;
    let runner = Arc::new(runner);
    // Its threads end with the process and not before, for which the filters have no call.
    std::mem::forget(Arc::clone(&runner));
    let stopper = Stopper::start(control, Arc::clone(&runner))?;
    let hello = Hello {
        build: BUILD_ID,
        kind: WorkerKind::Runner,
        layers: walled.layers().to_vec(),
    };
    send(&channel, &hello)?;
    if let Err(error) = work(walled, &channel, runner, stopper, &code) {
        // Where the channel is what failed, nobody hears it.
        let _ = send(&channel, &FromRunner::Failed(words(&error)));
        end_now(EXIT_SETUP);
    }
    Ok(())
}

/// Loads what is to be loaded, and serves it. The supervisor has been greeted: what fails is told as a frame.
fn work(
    walled: Walled,
    channel: &Arc<Channel>,
    runner: Arc<Runner>,
    stopper: Arc<Stopper>,
    code: &ArtifactCode,
) -> Result<(), Box<dyn Error>> {
    let Some((request, descriptors)) = receive_load(channel)? else {
        return Ok(());
    };
    let grants = request.grants.clone();
    let kernel = match load(&runner, code, &request, descriptors) {
        Ok(kernel) => kernel,
        Err(refusal) => return Ok(send(channel, &refusal)?),
    };
    serve(walled, Arc::clone(channel), runner, stopper, kernel, grants)
}

/// Locks, says so, and runs launches.
fn serve(
    walled: Walled,
    channel: Arc<Channel>,
    runner: Arc<Runner>,
    stopper: Arc<Stopper>,
    kernel: LoadedKernel,
    grants: Grants,
) -> Result<(), Box<dyn Error>> {
    let confined = walled.lock()?;
    send(&channel, &FromRunner::Ready(confined.layers().to_vec()))?;
    let server = RunnerServer {
        confined,
        channel,
        runner,
        stopper,
        kernel: Arc::new(kernel),
        grants,
    };
    Ok(server.serve()?)
}

/// The first request, which must be for loading; `None` if the supervisor is gone.
fn receive_load(channel: &Channel) -> io::Result<Option<(LoadRequest, Vec<OwnedFd>)>> {
    let (mut buffer, mut descriptors) = (Vec::new(), Vec::new());
    match channel.receive(&mut buffer, &mut descriptors)? {
        Received::Frame => {}
        _ => return Ok(None),
    }
    match frame::decode(&buffer).map_err(io::Error::other)? {
        ToRunner::Load(request) => Ok(Some((request, descriptors))),
        _ => Err(io::Error::other("the first request must be to load")),
    }
}

fn load(
    runner: &Runner,
    code: &ArtifactCode,
    request: &LoadRequest,
    descriptors: Vec<OwnedFd>,
) -> Result<LoadedKernel, FromRunner> {
    let failed = |error: io::Error| FromRunner::Failed(words(&error));
    let Ok([artifact]) = <[OwnedFd; 1]>::try_from(descriptors) else {
        return Err(FromRunner::Failed("no artifact came to load".to_owned()));
    };
    let artifact = SealedMemory::adopt(artifact, request.artifact_bytes).map_err(failed)?;
    let image = code.map(artifact).map_err(failed)?;
    // SAFETY: the supervisor's compiler made the artifact, and the supervisor checked it on these sealed bytes;
    // that it may be malicious all the same is what the walls are for. `code` keeps the mapping for the life
    // of the process.
    let kernel = unsafe { runner.load_in_place(image) };
    kernel.map_err(|error| match error {
        LoadError::Mismatch(_) => FromRunner::Stale(words(&error)),
        LoadError::TooLarge(_) | LoadError::Interfaces(_) => FromRunner::Misfit(words(&error)),
    })
}

/// A panic must not unwind into half a launch, and the default message needs calls that are forbidden.
fn end_on_panic(channel: &Arc<Channel>) {
    let channel = Arc::clone(channel);
    std::panic::set_hook(Box::new(move |panic| {
        let _ = send(&channel, &FromRunner::Failed(words(&panic)));
        end_now(EXIT_PANIC);
    }));
}
