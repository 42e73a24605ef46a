//! wasmtime's question "may this memory grow?", answered from the launch's one account.

use crate::meter::{Denied, Meter, Shared};
use crate::stop::Stop;
use hotcell_model::limit::{Breach, Limit};
use std::sync::Arc;
use wasmtime::{ResourceLimiter, Result};

/// The share of one chunk in the launch's memory and tables; gives it back when dropped.
pub(crate) struct Limiter {
    meter: Arc<Meter>,
    memory_bytes: u64,
    table_elements: u64,
    /// A growth that was refused: a guest that traps afterwards trapped because of it.
    denied: Option<Breach>,
}

impl Limiter {
    pub(crate) fn new(meter: Arc<Meter>) -> Self {
        Self {
            meter,
            memory_bytes: 0,
            table_elements: 0,
            denied: None,
        }
    }

    /// The last growth that was refused.
    pub(crate) fn denied(&self) -> Option<Breach> {
        self.denied
    }

    fn count(&self, limit: Limit) -> usize {
        usize::try_from(self.meter.limits.get(limit)).unwrap_or(usize::MAX)
    }
}

/// Takes what a growth from `current` to `desired` needs.
///
/// A growth over the limit fails in the guest, as WebAssembly has it; a contended one ends the chunk,
/// so that the guest cannot tell how many threads there are.
fn grow(
    account: &Shared,
    own: &mut u64,
    denied: &mut Option<Breach>,
    current: usize,
    desired: usize,
) -> Result<bool> {
    let more = desired.saturating_sub(current) as u64;
    match account.try_take(*own, more) {
        Ok(()) => {
            *own += more;
            Ok(true)
        }
        Err(Denied::Over(breach)) => {
            *denied = Some(breach);
            Ok(false)
        }
        Err(Denied::Contended) => Err(Stop::Contended.into()),
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Result<bool> {
        let (own, denied) = (&mut self.memory_bytes, &mut self.denied);
        grow(&self.meter.memory, own, denied, current, desired)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Result<bool> {
        let (own, denied) = (&mut self.table_elements, &mut self.denied);
        grow(&self.meter.table_elements, own, denied, current, desired)
    }

    fn instances(&self) -> usize {
        self.count(Limit::Instances)
    }

    fn tables(&self) -> usize {
        self.count(Limit::Tables)
    }

    fn memories(&self) -> usize {
        self.count(Limit::Memories)
    }
}

impl Drop for Limiter {
    fn drop(&mut self) {
        self.meter.memory.give_back(self.memory_bytes);
        self.meter.table_elements.give_back(self.table_elements);
    }
}
