//! What a launch may use of the GPU and what it has: every amount is checked and charged before it is given.

use hotcell_model::gpu::GpuError;
use hotcell_model::limit::{Limit, Limits};
use std::time::Duration;

/// One limit and what is charged to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quota {
    limit: Limit,
    maximum: u64,
    used: u64,
    peak: u64,
    /// Everything that was ever charged.
    total: u64,
}

impl Quota {
    fn new(limit: Limit, limits: &Limits) -> Self {
        Self {
            limit,
            maximum: limits.get(limit),
            used: 0,
            peak: 0,
            total: 0,
        }
    }

    pub(super) fn maximum(&self) -> u64 {
        self.maximum
    }

    pub(super) fn used(&self) -> u64 {
        self.used
    }

    pub(super) fn peak(&self) -> u64 {
        self.peak
    }

    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// What may still be charged.
    pub(super) fn left(&self) -> u64 {
        self.maximum.saturating_sub(self.used)
    }

    /// Whether there is room for so much more.
    pub(super) fn check(&self, more: u64) -> Result<(), GpuError> {
        let requested = self.used.saturating_add(more);
        if requested > self.maximum {
            return Err(self.passed(requested));
        }
        Ok(())
    }

    /// Charges so much more, or nothing.
    pub(super) fn charge(&mut self, more: u64) -> Result<(), GpuError> {
        self.check(more)?;
        self.charge_unchecked(more);
        Ok(())
    }

    /// Charges what was spent already, whether there was room for it or not.
    pub(super) fn charge_unchecked(&mut self, more: u64) {
        self.used = self.used.saturating_add(more);
        self.total = self.total.saturating_add(more);
        self.peak = self.peak.max(self.used);
    }

    /// Gives back what is held no longer.
    pub(super) fn release(&mut self, less: u64) {
        self.used = self.used.saturating_sub(less);
    }

    fn lower(&mut self, value: u64) -> Result<(), GpuError> {
        if value > self.maximum {
            return Err(self.passed(value));
        }
        self.maximum = value;
        Ok(())
    }

    fn passed(&self, requested: u64) -> GpuError {
        GpuError::Limit {
            limit: self.limit,
            requested,
            maximum: self.maximum,
        }
    }
}

macro_rules! quotas {
    ($($(#[$doc:meta])* $name:ident = $limit:ident,)*) => {
        /// The GPU limits of one launch.
        #[derive(Clone, Debug)]
        pub(super) struct Quotas {
            $($(#[$doc])* pub(super) $name: Quota,)*
        }

        impl Quotas {
            pub(super) fn new(limits: &Limits) -> Self {
                Self { $($name: Quota::new(Limit::$limit, limits),)* }
            }

            /// Lowers a limit, for good.
            pub(super) fn lower(&mut self, limit: Limit, value: u64) -> Result<(), GpuError> {
                match limit {
                    $(Limit::$limit => self.$name.lower(value),)*
                    _ => Err(GpuError::Misuse(format!("{limit} is not a limit of the gpu"))),
                }
            }
        }
    };
}

quotas! {
    /// Device memory that is held, and host memory that the session holds in its place.
    bytes = GpuBytes,
    /// Buffers held.
    buffers = GpuBuffers,
    /// Kernels made.
    pipelines = GpuPipelines,
    /// Bind sets made.
    bind_sets = GpuBindSets,
    /// WGSL read.
    shader_bytes = GpuShaderBytes,
    /// The size of one kernel: never charged.
    operations = GpuShaderOperations,
    /// The workgroup memory of one kernel: never charged.
    workgroup_bytes = GpuWorkgroupBytes,
    /// Dispatches.
    dispatches = GpuDispatches,
    /// Invocations.
    invocations = GpuInvocations,
    /// Fuel.
    fuel = GpuFuel,
    /// Nanoseconds that the device was busy.
    time = GpuTime,
}

impl Quotas {
    /// Time that the device may still be busy.
    pub(super) fn time_left(&self) -> Duration {
        Duration::from_nanos(self.time.left())
    }
}

/// Nanoseconds of a duration.
pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hotcell_model::manifest::Weight;

    fn quotas() -> Quotas {
        Quotas::new(&Limits::defaults(Weight::Normal))
    }

    #[test]
    fn a_charge_that_does_not_fit_changes_nothing_and_says_both_numbers() {
        let mut quota = quotas().buffers;
        quota.charge(60).unwrap();
        assert_eq!(
            quota.charge(5),
            Err(GpuError::Limit {
                limit: Limit::GpuBuffers,
                requested: 65,
                maximum: 64
            })
        );
        assert_eq!((quota.used(), quota.total(), quota.left()), (60, 60, 4));
        assert!(quota.charge(u64::MAX).is_err());
    }

    #[test]
    fn what_is_released_can_be_charged_again_and_the_peak_stays() {
        let mut quota = quotas().bytes;
        quota.charge(100).unwrap();
        quota.release(70);
        quota.charge(10).unwrap();
        assert_eq!((quota.used(), quota.peak(), quota.total()), (40, 100, 110));
    }

    #[test]
    fn limits_are_only_lowered() {
        let mut quotas = quotas();
        quotas.lower(Limit::GpuDispatches, 7).unwrap();
        let raised = quotas.lower(Limit::GpuDispatches, 8);
        assert!(matches!(
            raised,
            Err(GpuError::Limit {
                requested: 8,
                maximum: 7,
                ..
            })
        ));
        let foreign = quotas.lower(Limit::Memory, 0);
        assert!(matches!(foreign, Err(GpuError::Misuse(_))));
    }
}
