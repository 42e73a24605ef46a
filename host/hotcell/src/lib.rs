//! Run compute kernels that nobody trusts yet, at nearly the speed of trusted code.
//!
//! A [`Cell`] runs kernels under limits and reports on every launch:
//!
//! ```no_run
//! # #[cfg(feature = "confined")] {
//! use hotcell::{Array, Cell, Component, Request};
//!
//! let cell = Cell::confined().build()?;
//! let saxpy = Component::read("saxpy.wasm")?;
//! let request = Request::new()
//!     .scalar("a", 2.5f32)
//!     .input("x", Array::from_slice(&[1.0f32, 2.0, 3.0], [3])?)
//!     .input("y", Array::from_slice(&[1.0f32, 1.0, 1.0], [3])?);
//! let ended = cell.run(&saxpy, request);
//! println!("{}: fuel {:?}", ended.outcome.kind, ended.report.usage.fuel_used);
//! let out: Vec<f32> = ended.array("out").expect("the launch was done").to_vec()?;
//! assert_eq!(out, [3.5, 6.0, 8.5]);
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Cell::confined`] compiles each component in a confined process of its own and runs it in another: what
//! breaks out of the Wasm sandbox finds itself in a process that can reach nothing. `Cell::in_process` has the
//! Wasm sandbox alone, for platforms and programs that cannot have the processes. Every report says which it was
//! and, for workers, which walls stood around them.
//!
//! # Features
//!
//! - `confined`, the default: [`Cell::confined`]. Linux. No compiler, engine or graphics library in the program; it
//!   needs the worker programs beside it, of the same build (`cargo xtask install --workers-only`).
//! - `in-process`: `Cell::in_process`, with compiler, engine and GPU inside the program. Several times the crates.
//!
//! `docs/embedding.md` goes through all of it.
//!
//! [`Cell::start`] runs a launch on a thread of its own and returns a [`Launch`] that can be cancelled
//! from anywhere. Nothing here returns a bare error for what a kernel did: refusals, traps and exhausted
//! limits are outcomes, and every launch that began ends in a [`Report`](report::Report).
//!
//! The path of a launch is one function, in `launch`: `audit.begin`, authorize, prepare, run, settle, deliver,
//! `audit.finish`. `isolation` is the seam that both kinds of isolation implement.

#[cfg(all(feature = "confined", not(target_os = "linux")))]
compile_error!(
    "confined isolation needs Linux: turn the default features off and choose `in-process`"
);

mod array;
mod artifacts;
mod bell;
#[cfg(any(feature = "confined", feature = "in-process"))]
mod buffer;
mod cell;
mod component;
#[cfg(feature = "confined")]
mod confined;
mod files;
#[cfg(feature = "confined")]
mod guard;
#[cfg(feature = "in-process")]
mod in_process;
mod isolation;
mod kept;
mod launch;
mod places;
mod policy;
#[cfg(any(feature = "confined", feature = "in-process"))]
mod repeated;
mod request;
#[cfg(any(feature = "confined", feature = "in-process"))]
mod sealed;
mod seed;
mod thread_clock;
#[cfg(any(feature = "confined", feature = "in-process"))]
mod zeroed;

pub use array::{Array, ArrayError, Element, NamedArray};
pub use artifacts::{ArtifactCache, CacheEntry, CacheError};
#[cfg(any(feature = "confined", feature = "in-process"))]
pub use buffer::Buffer;
pub use cell::builder::CellBuilder;
pub use cell::{Cell, SetupError};
pub use component::{Component, ComponentError};
#[cfg(feature = "confined")]
pub use confined::ProgramError;
pub use files::{Directory, DirectoryAccess, DirectoryError};
#[cfg(feature = "confined")]
pub use guard::{Guard, GuardCall, GuardEnded, GuardSettings, Returned, Ticket};
pub use isolation::diagnosis::{
    Diagnosis, GpuDiagnosis, ProbeResult, TrialVerdict, WorkerDiagnosis,
};
pub use isolation::{PoolUse, Pools, Waiting};
pub use launch::about::new_run_id;
pub use launch::observed::observable;
pub use launch::permit::Permit;
pub use launch::{Ended, Launch};
pub use places::{PlaceError, Places};
pub use policy::{Policy, Subject, TermLimit, Terms, resolve_limits};
pub use request::delivery::{Consignment, Delivery, Undelivered};
pub use request::forecaster::{Forecaster, Prospect};
pub use request::{Cutting, Digests, InputError, Request};

pub use hotcell_model::array::ArrayType;
pub use hotcell_model::audit::{Audit, AuditEnd, AuditRecord, NoAudit, Verb};
pub use hotcell_model::caller::Caller;
pub use hotcell_model::digest::{Digest, RunId};
pub use hotcell_model::gpu::GpuDevice;
pub use hotcell_model::job::{Observer, Source};
pub use hotcell_model::layer::Tier;
pub use hotcell_model::profile::{Isolation, Metering};
pub use hotcell_model::stop::StopSignal;
pub use hotcell_model::tenant::Tenant;
pub use hotcell_model::time::Timestamp;
pub use hotcell_model::watch::Watch;
pub use hotcell_model::{
    accounts, analysis, budget, component as description, forecast, grant, guard as guarded, layer,
    limit, manifest, outcome, probe, report, samples, shader,
};

/// The supervisor's reading of what workers say, without any I/O: for fuzzing. No part of the interface.
#[cfg(feature = "confined")]
#[doc(hidden)]
pub mod fuzzing {
    pub use crate::confined::reading::*;
}
