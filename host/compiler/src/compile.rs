//! From a described component to an artifact.

mod passes;

use hotcell_engine::config;
use hotcell_model::limit::{Amount, Breach, Limit, Limits};
use hotcell_model::profile::Metering;
use wasmtime::Engine;

/// Whether compilation may use all cores of the machine, or stays on the calling thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parallelism {
    /// One thread per core; needs the feature `parallel`.
    AllCores,
    /// The calling thread alone: what a confined process can do.
    OneThread,
}

impl Parallelism {
    #[cfg(feature = "parallel")]
    fn apply(self, config: &mut wasmtime::Config) {
        config.parallel_compilation(self == Self::AllCores);
    }

    /// Without the feature there is one thread.
    #[cfg(not(feature = "parallel"))]
    fn apply(self, _config: &mut wasmtime::Config) {}
}

/// Why a component could not be compiled.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The compiler cannot be set up on this machine.
    #[error("the compiler could not be set up: {0}")]
    Setup(String),
    /// The compiler refused what the validator had accepted.
    #[error("the component cannot be compiled: {0}")]
    Refused(String),
    /// The artifact is larger than allowed.
    #[error(transparent)]
    TooMuch(#[from] Breach),
}

/// A compiler for one metering mode.
pub struct Compiler {
    engine: Engine,
    metering: Metering,
    parallelism: Parallelism,
}

impl Compiler {
    /// Sets up Cranelift for `metering` and this machine's CPU.
    ///
    /// # Errors
    /// [`CompileError::Setup`] where Cranelift does not support the machine.
    pub fn new(metering: Metering, parallelism: Parallelism) -> Result<Self, CompileError> {
        Ok(Self {
            engine: engine(metering, parallelism, &[])?,
            metering,
            parallelism,
        })
    }

    /// Compiles a component that [`describe`](crate::describe()) has accepted.
    ///
    /// # Errors
    /// The compiler refuses it, or the artifact is over its limit.
    pub fn compile(&self, component: &[u8], limits: &Limits) -> Result<Vec<u8>, CompileError> {
        let rewritten = passes::rewrite(component, self.metering)?;
        let other = match &rewritten.instead[..] {
            [] => None,
            instead => Some(engine(self.metering, self.parallelism, instead)?),
        };
        let engine = other.as_ref().unwrap_or(&self.engine);
        let mut artifact = engine
            .precompile_component(&rewritten.component)
            .map_err(|error| CompileError::Refused(format!("{error:#}")))?;
        rewritten.tell_positions(&mut artifact)?;
        let (requested, maximum) = (artifact.len() as u64, limits.get(Limit::ArtifactBytes));
        if requested > maximum {
            return Err(CompileError::TooMuch(Breach {
                limit: Limit::ArtifactBytes,
                amount: Amount::Requested(requested),
                maximum,
            }));
        }
        Ok(artifact)
    }
}

/// An engine as the profile has it, but for what it does in the place of passes.
fn engine(
    metering: Metering,
    parallelism: Parallelism,
    instead: &[fn(&mut wasmtime::Config)],
) -> Result<Engine, CompileError> {
    let mut config = config(metering);
    parallelism.apply(&mut config);
    for change in instead {
        change(&mut config);
    }
    Engine::new(&config).map_err(|error| CompileError::Setup(format!("{error:#}")))
}
