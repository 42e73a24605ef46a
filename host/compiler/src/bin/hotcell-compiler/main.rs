//! `hotcell-compiler`: one confined process per component.
//!
//! It locks itself before it has seen a byte of anybody's, says which layers it has put on, serves one
//! request, and ends. It has one thread, no files and no engine that could run what it makes; its memory,
//! CPU and wall time are bounded from outside, to what the request allows: what it sets itself are the ceilings.

mod memory;
mod serve;

use hotcell_model::frame::Hello;
use hotcell_model::layer::WorkerKind;
use hotcell_model::limit::Limit;
use hotcell_sandbox::BUILD_ID;
use hotcell_sandbox::channel::Channel;
use hotcell_sandbox::end::end_now;
use hotcell_sandbox::lockdown::{Birth, Confined, ResourceLimits};
use hotcell_sandbox::worker::{EXIT_SETUP, run, send};
use hotcell_shader::panics;
use serve::CompilerServer;
use std::mem::ManuallyDrop;
use std::process::ExitCode;

#[global_allocator]
static MEMORY: memory::CountedMemory = memory::CountedMemory;

/// The operating system's limit on CPU time stands behind the supervisor's, and so a little above it.
const CPU_SLACK_SECONDS: u64 = 5;

fn main() -> ExitCode {
    run(WorkerKind::Compiler, start)
}

fn start() -> Result<(), Box<dyn std::error::Error>> {
    let birth = Birth::begin(WorkerKind::Compiler)?;
    // It stays open for last words, whatever fails.
    let channel = ManuallyDrop::new(Channel::from_standard_input()?);
    // Where naga panics over a shader, unwinding makes no call that the filter refuses: what it does once was done.
    panics::warm_up();
    let confined = ready(birth, &channel)?;
    // From here on the supervisor knows what failed by what the channel says.
    if CompilerServer::new(confined, ManuallyDrop::into_inner(channel))
        .serve()
        .is_err()
    {
        end_now(EXIT_SETUP);
    }
    Ok(())
}

/// Locks the process, and says so.
fn ready(birth: Birth, channel: &Channel) -> Result<Confined, Box<dyn std::error::Error>> {
    let limits = ResourceLimits {
        data_bytes: Limit::CompileMemory.ceiling(),
        address_space_bytes: None,
        cpu_seconds: Some(Limit::CompileCpu.ceiling() / 1_000_000_000 + CPU_SLACK_SECONDS),
        ..ResourceLimits::default()
    };
    let walled = birth.wall(&limits)?;
    let mut layers = walled.layers().to_vec();
    let confined = walled.lock()?;
    layers.extend_from_slice(confined.layers());
    let hello = Hello {
        build: BUILD_ID,
        kind: WorkerKind::Compiler,
        layers,
    };
    send(channel, &hello)?;
    Ok(confined)
}
