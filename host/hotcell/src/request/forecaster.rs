//! The seam for what is known of a kernel from launches before: a profile says what the next one will take.

use hotcell_model::digest::Digest;
use hotcell_model::forecast::Forecast;
use hotcell_model::manifest::ScalarValue;
use hotcell_model::profile::Metering;

/// A launch that is about to run, as far as its cost depends on it.
#[derive(Clone, Copy, Debug)]
pub struct Prospect<'a> {
    /// BLAKE3 of the component.
    pub component: Digest,
    /// The kernel.
    pub entry: &'a str,
    /// How it is metered.
    pub metering: Metering,
    /// The extent of every dimension.
    pub dims: &'a [(String, u64)],
    /// The value of every scalar.
    pub scalars: &'a [(String, ScalarValue)],
}

/// Says what a launch will take, before it runs.
///
/// Its word warns ([`Observer::warn`](crate::Observer::warn), the report's `warnings`, [`Permit::warnings`](crate::Permit::warnings)) and
/// refuses nothing. `hotcell_profile::Profile` is one.
pub trait Forecaster: Send + Sync {
    /// What the launch will take; nothing where it is of another component, or of sizes that say nothing.
    fn forecast(&self, launch: &Prospect<'_>) -> Forecast;
}
