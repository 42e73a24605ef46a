//! The one request of a compile process.

use crate::memory::take_peak;
use hotcell_compiler::{CompileError, Compiler, Parallelism, check, read};
use hotcell_model::component::Refusal;
use hotcell_model::frame::{
    self, CompileRequest, Described, FromCompiler, Phases, ToCompiler, WireDescription,
};
use hotcell_model::limit::Limits;
use hotcell_model::time::nanoseconds;
use hotcell_sandbox::channel::{Channel, Received};
use hotcell_sandbox::lockdown::Confined;
use hotcell_sandbox::memory::{OutputMemory, SealedMemory};
use hotcell_sandbox::worker::{send, words};
use std::io;
use std::os::fd::OwnedFd;
use std::time::Instant;

/// A confined process that waits for its request. Only a [`Confined`] one can be made.
pub(crate) struct CompilerServer {
    confined: Confined,
    channel: Channel,
}

/// What becomes of a request.
type CompilerAnswer = Result<FromCompiler, FromCompiler>;

impl CompilerServer {
    pub(crate) fn new(confined: Confined, channel: Channel) -> Self {
        Self { confined, channel }
    }

    /// Answers attempts until a request comes, answers that, and is done.
    pub(crate) fn serve(self) -> io::Result<()> {
        let (mut buffer, mut descriptors) = (Vec::new(), Vec::new());
        loop {
            match self.channel.receive(&mut buffer, &mut descriptors)? {
                Received::Frame => {}
                _ => return Ok(()),
            }
            let request = frame::decode(&buffer).map_err(io::Error::other)?;
            let descriptors = std::mem::take(&mut descriptors);
            let (answer, is_last) = match request {
                ToCompiler::Attempt(attempt) => (
                    FromCompiler::Attempted(self.confined.attempt(attempt)),
                    false,
                ),
                ToCompiler::Describe(request) => {
                    (answer(answer_describe(&request, descriptors)), true)
                }
                ToCompiler::Compile(request) => {
                    (answer(answer_compile(&request, descriptors)), true)
                }
            };
            send(&self.channel, &answer)?;
            if is_last {
                // The supervisor looks at what the process has used, and then ends it.
                let _ = self.channel.receive(&mut buffer, &mut Vec::new());
                return Ok(());
            }
        }
    }
}

fn answer(answer: CompilerAnswer) -> FromCompiler {
    answer.unwrap_or_else(|failure| failure)
}

/// The component and the memory that came beside a request.
struct Material {
    component: hotcell_sandbox::memory::Mapped,
    output: OutputMemory,
    limits: Limits,
}

impl Material {
    fn new(request: &CompileRequest, descriptors: Vec<OwnedFd>) -> Result<Self, FromCompiler> {
        let Ok([component, output]) = <[OwnedFd; 2]>::try_from(descriptors) else {
            return Err(failed("a request needs two descriptors"));
        };
        let component = SealedMemory::adopt(component, request.component_bytes).map_err(failed)?;
        Ok(Self {
            component: component.map().map_err(failed)?,
            output: OutputMemory::adopt(output, request.output_bytes).map_err(failed)?,
            limits: request.limits.clone(),
        })
    }

    /// Writes the answer; how much it was.
    fn write(&self, bytes: &[u8]) -> Result<u64, FromCompiler> {
        let mut memory = self.output.map().map_err(failed)?;
        let place = memory.as_mut().get_mut(..bytes.len());
        let place = place.ok_or_else(|| failed("the answer is larger than its memory"))?;
        place.copy_from_slice(bytes);
        Ok(bytes.len() as u64)
    }
}

fn answer_describe(request: &CompileRequest, descriptors: Vec<OwnedFd>) -> CompilerAnswer {
    let material = Material::new(request, descriptors)?;
    let begin = Instant::now();
    let description = read(&material.component, &material.limits).map_err(|why| refused(&why))?;
    let phases = Phases {
        describe_ns: nanoseconds(begin.elapsed()),
        describe_peak_bytes: take_peak(),
        ..Phases::default()
    };
    let mut bytes = Vec::new();
    frame::encode_long(&description, &mut bytes).map_err(failed)?;
    if bytes.len() as u64 > WireDescription::MAX_BYTES {
        let why = "its manifest and the names of its imports are longer than a description may be";
        return Err(refused(&Refusal::Malformed(why.to_owned())));
    }
    let bytes = material.write(&bytes)?;
    Ok(FromCompiler::Described(Described { bytes, phases }))
}

fn answer_compile(request: &CompileRequest, descriptors: Vec<OwnedFd>) -> CompilerAnswer {
    let material = Material::new(request, descriptors)?;
    let (component, limits) = (&material.component, &material.limits);
    let begin = Instant::now();
    // Counts are checked again: nothing else says that this is the component that was described.
    check(component, limits).map_err(|why| refused(&why))?;
    let mut phases = Phases {
        describe_ns: nanoseconds(begin.elapsed()),
        describe_peak_bytes: take_peak(),
        ..Phases::default()
    };
    let begin = Instant::now();
    let compiler =
        Compiler::new(request.metering, Parallelism::OneThread).map_err(compile_failed)?;
    phases.setup_ns = nanoseconds(begin.elapsed());
    let begin = Instant::now();
    let artifact = compiler
        .compile(component, limits)
        .map_err(compile_failed)?;
    phases.compile_ns = nanoseconds(begin.elapsed());
    phases.compile_peak_bytes = take_peak();
    let bytes = material.write(&artifact)?;
    Ok(FromCompiler::Compiled(Described { bytes, phases }))
}

fn refused(refusal: &Refusal) -> FromCompiler {
    FromCompiler::Refused(refusal.clone().cut())
}

fn compile_failed(error: CompileError) -> FromCompiler {
    match error {
        CompileError::TooMuch(breach) => refused(&Refusal::TooMuch(breach)),
        CompileError::Refused(_) => refused(&Refusal::Malformed(error.to_string())),
        CompileError::Setup(_) => failed(error),
    }
}

fn failed(error: impl ToString) -> FromCompiler {
    FromCompiler::Failed(words(&error))
}
