//! The native half of the Python package: cells, components, memory and launches.
//!
//! What is here is small and private. The package's own Python makes of it what people see: entries that are called,
//! arrays of whatever library, exceptions, futures.

mod arrays;
mod cell;
mod component;
mod daemon;
mod ended;
mod guard;
mod guarded;
mod hint;
mod host;
mod kept;
mod kernel;
mod launch;
mod memory;
mod plan;
mod profile;
mod watched;

use pyo3::prelude::*;

/// The native half of hotcell.
#[pymodule]
mod _native {
    #[pymodule_export]
    use crate::arrays::picture;
    #[pymodule_export]
    use crate::cell::Cell;
    #[pymodule_export]
    use crate::component::Component;
    #[pymodule_export]
    use crate::daemon::Daemon;
    #[pymodule_export]
    use crate::ended::Ended;
    #[pymodule_export]
    use crate::guard::{Guard, GuardPlan, GuardReturn};
    #[pymodule_export]
    use crate::guarded::{
        guarded_begin, guarded_jit, guarded_memory, guarded_raised, guarded_ready, guarded_receive,
        guarded_returned,
    };
    #[pymodule_export]
    use crate::kernel::Kernel;
    #[pymodule_export]
    use crate::launch::{Entry, Started};
    #[pymodule_export]
    use crate::memory::{Memory, before_fork};
    #[pymodule_export]
    use crate::plan::Plan;
    #[pymodule_export]
    use crate::profile::{profile, profile_page, profile_policy};
    #[pymodule_export]
    use crate::watched::main_thread_is;
    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
