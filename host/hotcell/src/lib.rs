//! Run compute kernels that nobody trusts yet, at nearly the speed of trusted code.
//!
//! A [`Cell`] runs kernels under limits and reports on every launch:
//!
//! ```no_run
//! use hotcell::{Array, Cell, Component, Request};
//!
//! let cell = Cell::in_process().build()?;
//! let saxpy = Component::read("saxpy.wasm")?;
//! let request = Request::new()
//!     .scalar("a", 2.5f32)
//!     .input("x", Array::from_slice(&[1.0f32, 2.0, 3.0], [3])?)
//!     .input("y", Array::from_slice(&[1.0f32, 1.0, 1.0], [3])?);
//! let ended = cell.run(&saxpy, request);
//! println!("{}: fuel {:?}", ended.outcome.kind, ended.report.usage.fuel_used);
//! let out: Vec<f32> = ended.array("out").expect("the launch was done").to_vec()?;
//! assert_eq!(out, [3.5, 6.0, 8.5]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Cell::start`] runs a launch on a thread of its own and returns a [`Launch`] that can be cancelled
//! from anywhere. Nothing here returns a bare error for what a kernel did: refusals, traps and exhausted
//! limits are outcomes, and every launch that began ends in a [`Report`](report::Report).
//!
//! The path of a launch is one function, in `launch`: authorize, `audit.begin`, prepare, launch, settle,
//! `audit.finish`.

mod array;
mod artifacts;
mod audit;
mod bind;
mod cell;
mod component;
#[cfg(feature = "in-process")]
mod in_process;
mod isolation;
mod launch;
mod permit;
mod places;
mod request;

pub use array::{Array, ArrayError, Element, NamedArray};
pub use artifacts::{ArtifactCache, CacheEntry, CacheError};
pub use audit::{Audit, NoAudit};
pub use cell::{Cell, CellBuilder, SetupError};
pub use component::{Component, ComponentError};
pub use launch::{Ended, Launch};
pub use permit::Permit;
pub use places::{PlaceError, Places};
pub use request::{Digests, Request};

pub use hotcell_model::array::ArrayType;
pub use hotcell_model::job::{Observer, Source};
pub use hotcell_model::profile::{Isolation, Metering};
pub use hotcell_model::tenant::Tenant;
pub use hotcell_model::{component as description, grant, limit, manifest, outcome, report};
