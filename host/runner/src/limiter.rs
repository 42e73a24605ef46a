//! wasmtime's question "may this memory grow?", answered from the launch's one account.

use crate::meter::{Denied, Meter, SharedAmount};
use crate::stop::Stop;
use hotcell_model::limit::{Breach, Limit};
use std::sync::Arc;
use wasmtime::{ResourceLimiter, Result};

/// The share of one chunk in the launch's memory and tables; gives it back when dropped.
pub(crate) struct Limiter {
    meter: Arc<Meter>,
    memory: MemoryShare,
    tables: MemoryShare,
}

/// What one chunk holds of a shared amount.
#[derive(Default)]
struct MemoryShare {
    held: u64,
    /// The last growth, which wasmtime may report as failed.
    last: u64,
    /// A growth that was refused, and none was allowed since: a guest that gives up afterwards gave up
    /// because of it.
    denied: Option<Breach>,
}

/// What wasmtime asks for.
struct Growth {
    current: usize,
    desired: usize,
    maximum: Option<usize>,
}

impl Limiter {
    pub(crate) fn new(meter: Arc<Meter>) -> Self {
        Self {
            meter,
            memory: MemoryShare::default(),
            tables: MemoryShare::default(),
        }
    }

    /// The last growth that was refused.
    pub(crate) fn denied(&self) -> Option<Breach> {
        self.memory.denied.or(self.tables.denied)
    }

    /// Linear memory that this chunk holds.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.memory.held
    }

    fn count(&self, limit: Limit) -> usize {
        usize::try_from(self.meter.limits.get(limit)).unwrap_or(usize::MAX)
    }
}

/// Takes what a growth from `current` to `desired` needs.
///
/// A growth over the limit fails in the guest, as WebAssembly has it; a contended one ends the chunk,
/// so that the guest cannot tell how many threads there are.
fn grow(account: &SharedAmount, share: &mut MemoryShare, growth: &Growth) -> Result<bool> {
    share.last = 0;
    let more = growth.desired.saturating_sub(growth.current) as u64;
    // wasmtime asks before it looks at the declared maximum; what it will refuse takes nothing.
    let is_declared = growth
        .maximum
        .is_none_or(|maximum| growth.desired <= maximum);
    if !is_declared && account.breach(share.held, more).is_none() {
        return Ok(false);
    }
    match account.try_take(share.held, more) {
        Ok(()) => {
            *share = MemoryShare {
                held: share.held + more,
                last: more,
                denied: None,
            };
            Ok(true)
        }
        Err(Denied::Over(breach)) => {
            share.denied = Some(breach);
            Ok(false)
        }
        Err(Denied::Contended) => Err(Stop::Contended.into()),
    }
}

/// Takes a growth back that was allowed and failed all the same.
fn undo(account: &SharedAmount, share: &mut MemoryShare) {
    let last = std::mem::take(&mut share.last);
    share.held -= last;
    account.give_back(last);
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool> {
        let growth = Growth {
            current,
            desired,
            maximum,
        };
        grow(&self.meter.memory, &mut self.memory, &growth)
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> Result<()> {
        undo(&self.meter.memory, &mut self.memory);
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool> {
        let growth = Growth {
            current,
            desired,
            maximum,
        };
        grow(&self.meter.table_elements, &mut self.tables, &growth)
    }

    fn table_grow_failed(&mut self, _error: wasmtime::Error) -> Result<()> {
        undo(&self.meter.table_elements, &mut self.tables);
        Ok(())
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
        self.meter.memory.give_back(self.memory.held);
        self.meter.table_elements.give_back(self.tables.held);
    }
}
