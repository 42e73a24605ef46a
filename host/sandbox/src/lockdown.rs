//! How a worker locks itself in, step by step; each step only takes away.
//!
//! ```text
//! Birth::begin   nothing becomes executable, no environment, no descriptor but 0–2, dies with its parent
//!   wall         limits, namespaces and an empty root, no privileges, Landlock, undumpable, load-phase filter
//!     lock       final filter on every thread
//! ```
//!
//! A guarded process imports what it is to import after all of that: a library that is imported starts threads, and is
//! what walls are for.
//!
//! A GPU worker has a driver to load in between, from files that it may read until the lock: nothing hostile is near
//! before that.
//!
//! Only the last step makes a [`Confined`], which whatever works on hostile bytes takes as its proof. What the
//! machine lacks is reported absent, with its remedy; what half-failed is an error, and the worker ends.

mod driver;
mod inherited;
mod landlock;
mod limits;
mod namespaces;
mod privileges;
mod probe;
mod refusals;
#[cfg(feature = "trap-report")]
mod trap;
mod view;

pub(crate) use inherited::supervisor;
pub use limits::ResourceLimits;
pub use refusals::{Noting, Refusal, Refusals};
pub use view::Quarters;

use crate::filter::{DriverKind, Filter, IS_TRAP_REPORT, Installed, Otherwise};
use hotcell_model::guard::GuardProfile;
use hotcell_model::layer::{Layer, LayerReport, WorkerKind};
use hotcell_model::probe::{Attempt, Attempted};
use rustix::process::geteuid;
use std::io;
use std::path::{Path, PathBuf};
use view::View;

/// A worker that could not be locked in. It must end.
#[derive(Debug, thiserror::Error)]
pub enum LockdownError {
    /// A step failed that this machine should allow.
    #[error("{layer}: could not {step}")]
    Step {
        /// The layer.
        layer: Layer,
        /// What was tried.
        step: &'static str,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// The supervisor died before the worker could ask to die with it.
    #[error("the supervisor is gone")]
    Orphaned,
    /// Other threads run: they would keep what this one gives up.
    #[error("more than one thread runs before lockdown")]
    Threads,
}

/// Names the layer and the step of a failure.
trait LockStep<T> {
    fn step(self, layer: Layer, step: &'static str) -> Result<T, LockdownError>;
}

impl<T, E: Into<io::Error>> LockStep<T> for Result<T, E> {
    fn step(self, layer: Layer, step: &'static str) -> Result<T, LockdownError> {
        self.map_err(|error| LockdownError::Step {
            layer,
            step,
            source: error.into(),
        })
    }
}

/// A worker that has given up what it got from its parent.
#[derive(Debug)]
pub struct Birth {
    kind: WorkerKind,
    layers: Vec<LayerReport>,
}

/// A worker with nothing of the machine in reach but its channels. A runner may load hostile bytes.
#[derive(Debug)]
pub struct Walled {
    kind: WorkerKind,
    layers: Vec<LayerReport>,
    folder: PathBuf,
}

/// The proof that this process is locked in. Only [`Walled::lock`] makes one.
#[derive(Debug)]
pub struct Confined {
    layers: Vec<LayerReport>,
}

impl Birth {
    /// Gives up what a process gets from its parent. The first thing in a worker's `main`, since descriptors
    /// that the worker opens itself would be closed too.
    ///
    /// # Errors
    /// A step fails, the supervisor is gone, or other threads run.
    pub fn begin(kind: WorkerKind) -> Result<Self, LockdownError> {
        inherited::check_single_thread()?;
        inherited::forget_fault_handlers()?;
        inherited::survive_file_size_limit();
        // What these two do nothing for has drivers or libraries that make machine code, and threads that allocate.
        let is_plain = !matches!(kind, WorkerKind::Gpu | WorkerKind::Guarded);
        if is_plain {
            inherited::settle_allocator();
        }
        let mut layers = Vec::with_capacity(Layer::ALL.len());
        if is_plain {
            let words = "memory gains no execution (MDWE), from the start of `main` on";
            layers.push(inherited::refuse_execution_gain(words)?);
        }
        layers.push(inherited::wipe_environment(kind)?);
        layers.push(inherited::close_descriptors()?);
        layers.push(inherited::die_with_parent()?);
        Ok(Self { kind, layers })
    }

    /// Does something without capabilities: what is opened meanwhile does not remember any.
    ///
    /// # Errors
    /// The capabilities cannot be put down, or not be taken up again.
    pub fn without_capabilities<T>(&self, action: impl FnOnce() -> T) -> Result<T, LockdownError> {
        privileges::without(action)
    }

    /// Puts walls around the process. What it needs from outside it must hold by now, and it still has one
    /// thread; afterwards a runner or a driver may start more.
    ///
    /// # Errors
    /// As [`Self::begin`].
    pub fn wall(self, limits: &ResourceLimits) -> Result<Walled, LockdownError> {
        let view = match self.kind {
            WorkerKind::Gpu => View::of_driver(),
            WorkerKind::Compiler | WorkerKind::Runner | WorkerKind::Guarded => View::default(),
        };
        self.wall_around(limits, view, Path::new("/"))
    }

    /// As [`Self::wall`], around a guarded process, which sees what it is given.
    ///
    /// # Errors
    /// As [`Self::begin`].
    pub fn wall_in(
        self,
        limits: &ResourceLimits,
        quarters: &Quarters,
    ) -> Result<Walled, LockdownError> {
        self.wall_around(limits, View::of(quarters), &quarters.folder)
    }

    fn wall_around(
        self,
        limits: &ResourceLimits,
        mut view: View,
        folder: &Path,
    ) -> Result<Walled, LockdownError> {
        let Self { kind, mut layers } = self;
        inherited::check_single_thread()?;
        layers.push(limits::apply(kind, limits)?);
        // Root reaches more of what is to be seen than nobody does.
        let is_guarded = kind == WorkerKind::Guarded;
        let copied = match is_guarded && geteuid().is_root() {
            true => view.trees().ok(),
            false => None,
        };
        if !is_guarded || copied.is_some() || view.is_anybodys() {
            privileges::leave_root(kind)?;
        }
        let namespaces = namespaces::enter(kind, &view, copied)?;
        let mut own_folder = PathBuf::from(view::FOLDER);
        if namespaces.is_enforced() {
            limits::bound_tasks(kind, limits)?;
        } else if view.folder.take().is_some() {
            own_folder = folder.to_owned();
            view.write.push(own_folder.clone());
        }
        layers.push(namespaces);
        layers.push(privileges::refuse_new()?);
        layers.push(privileges::drop_capabilities()?);
        layers.push(landlock::restrict(kind, &view)?);
        layers.push(privileges::make_undumpable()?);
        // A change of user or capabilities makes the kernel forget it.
        inherited::die_with_parent()?;
        #[cfg(feature = "trap-report")]
        trap::install()?;
        if kind == WorkerKind::Runner {
            layers.push(filter(Layer::LoadFilter, &Filter::runner_load())?);
        }
        Ok(Walled {
            kind,
            layers,
            folder: own_folder,
        })
    }
}

impl Walled {
    /// The folder that is a guarded process's own.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The layers so far.
    pub fn layers(&self) -> &[LayerReport] {
        &self.layers
    }

    /// Puts the final filter on every thread. All that a runner will have must be up and waiting: what a
    /// thread does to start is over once this returns. A GPU worker locks itself with [`Self::lock_driver`]; here its
    /// driver counts as one of hardware, whose filter lets less through.
    ///
    /// # Errors
    /// The operating system refuses.
    pub fn lock(self) -> Result<Confined, LockdownError> {
        let layers = match self.kind {
            // It has read nothing yet: one filter serves.
            WorkerKind::Compiler => both_phases(&Filter::compiler())?,
            WorkerKind::Runner => vec![filter(Layer::Filter, &Filter::runner())?],
            WorkerKind::Gpu => return self.lock_driver(DriverKind::Hardware),
            WorkerKind::Guarded => both_phases(&Filter::guarded(&[]))?,
        };
        Ok(Confined { layers })
    }

    /// Locks a GPU worker: puts the filter for that kind of driver on every thread, those of the driver too. It must
    /// have done everything once by now for which a driver reads a file.
    ///
    /// # Errors
    /// The operating system refuses.
    pub fn lock_driver(self, driver: DriverKind) -> Result<Confined, LockdownError> {
        let mut layers = Vec::with_capacity(3);
        layers.push(match driver {
            DriverKind::Software => LayerReport::absent(
                Layer::WriteXorExecute,
                "a driver without a device makes machine code of its own, here",
                "use a GPU in place of the software driver",
            ),
            DriverKind::Hardware => {
                let words = "memory gains no execution (MDWE), since the driver is loaded";
                inherited::refuse_execution_gain(words)?
            }
        });
        layers.extend(both_phases(&Filter::gpu(driver))?);
        Ok(Confined { layers })
    }
}

impl Walled {
    /// Locks a guarded process: what its profiles do not have is answered with an error and noted, where the process has not
    /// forgotten the handler, and else ends the process.
    ///
    /// # Errors
    /// The operating system refuses.
    pub fn lock_guarded(
        self,
        profiles: &[GuardProfile],
        _: Noting,
    ) -> Result<Confined, LockdownError> {
        let mut layers = vec![LayerReport::absent(
            Layer::WriteXorExecute,
            "libraries make machine code in this process",
            "run a kernel component in place of it",
        )];
        layers.extend(both_phases(&Filter::guarded(profiles))?);
        Ok(Confined { layers })
    }
}

impl Confined {
    /// The layers that the lock added.
    pub fn layers(&self) -> &[LayerReport] {
        &self.layers
    }

    /// Tries something that must not work, with nothing but the system call in question. The worker may not
    /// survive it.
    pub fn attempt(&self, attempt: Attempt) -> Attempted {
        probe::attempt(attempt)
    }
}

/// One filter for a worker that reads nothing hostile before it is locked.
fn both_phases(rules: &Filter) -> Result<Vec<LayerReport>, LockdownError> {
    let report = filter(Layer::Filter, rules)?;
    let load = LayerReport {
        layer: Layer::LoadFilter,
        ..report.clone()
    };
    Ok(vec![load, report])
}

fn filter(layer: Layer, filter: &Filter) -> Result<LayerReport, LockdownError> {
    if !Filter::is_supported() {
        let why = format!(
            "there is no list of system calls for {}",
            std::env::consts::ARCH
        );
        return Ok(LayerReport::absent(layer, why, "run on x86-64"));
    }
    let Installed {
        allowed_calls,
        refused_calls,
    } = filter.install().step(layer, "install the filter")?;
    if IS_TRAP_REPORT {
        let remedy = "build the workers without the feature `trap-report`";
        return Ok(LayerReport::absent(
            layer,
            "refused calls are reported, not punished",
            remedy,
        ));
    }
    let others = match filter.otherwise() {
        Otherwise::Kill => "others kill",
        Otherwise::Note => "others too, and noted",
    };
    let words =
        format!("{allowed_calls} calls allowed, {refused_calls} answered with an error, {others}");
    Ok(LayerReport::enforced(layer, words))
}
