//! What a budget counts.

use crate::limit::Unit;
use crate::names::named;

named! {
    /// What a bucket counts. Names carry the unit.
    pub enum Resource, "resource of a budget" {
        /// Launches.
        Launches = "launches",
        /// Fuel units: roughly one per WebAssembly instruction.
        Fuel = "fuel",
        /// CPU time, of the guest and of what the host does for it.
        CpuTime = "cpu_ns",
        /// CPU time of compiling.
        CompileTime = "compile_ns",
        /// GPU fuel units: roughly one per operation of an invocation.
        GpuFuel = "gpu_fuel",
        /// Bytes that cross, in or out.
        Bytes = "bytes",
    }
}

impl Resource {
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();

    /// What its amounts count.
    pub const fn unit(self) -> Unit {
        match self {
            Self::Launches => Unit::Count,
            Self::Fuel | Self::GpuFuel => Unit::Fuel,
            Self::CpuTime | Self::CompileTime => Unit::Ns,
            Self::Bytes => Unit::Bytes,
        }
    }
}

/// An amount of each resource, in its unit; of those that are not named, none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts([u64; Resource::COUNT]);

impl Amounts {
    /// Nothing of any.
    pub const fn new() -> Self {
        Self([0; Resource::COUNT])
    }

    /// The same, with so much of that one.
    #[must_use]
    pub const fn with(mut self, resource: Resource, amount: u64) -> Self {
        self.0[resource as usize] = amount;
        self
    }

    /// How much of that one.
    pub const fn get(&self, resource: Resource) -> u64 {
        self.0[resource as usize]
    }

    /// The same for a change.
    pub const fn get_mut(&mut self, resource: Resource) -> &mut u64 {
        &mut self.0[resource as usize]
    }

    /// Whether there is nothing of any.
    pub fn is_zero(&self) -> bool {
        self.0.iter().all(|amount| *amount == 0)
    }

    /// Each resource with its amount, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Resource, u64)> {
        Resource::ALL.into_iter().zip(self.0)
    }
}

impl FromIterator<(Resource, u64)> for Amounts {
    fn from_iter<I: IntoIterator<Item = (Resource, u64)>>(amounts: I) -> Self {
        let mut all = Self::new();
        for (resource, amount) in amounts {
            all = all.with(resource, amount);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_match_the_order_and_names_read_back() {
        for (position, resource) in Resource::ALL.into_iter().enumerate() {
            assert_eq!(resource as usize, position);
            assert_eq!(resource.name().parse(), Ok(resource));
        }
    }

    #[test]
    fn a_wrong_name_is_told_the_known_ones() {
        let error = "watts".parse::<Resource>().unwrap_err();
        let says = "`watts` is no resource of a budget (launches, fuel, cpu_ns, compile_ns, gpu_fuel, bytes)";
        assert_eq!(error.to_string(), says);
    }
}
