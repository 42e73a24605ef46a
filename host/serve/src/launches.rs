//! The launches that have not ended, whoever asked for them.

use crate::protocol::{LaunchEnd, LaunchState, Stage};
use hotcell::{Caller, Digest, RunId, StopSignal, Tenant, Timestamp};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Who wants to hear of a launch's end.
type Waiter = Box<dyn FnOnce(&LaunchEnd) + Send>;

/// A launch that has not ended.
pub(crate) struct Running {
    pub(crate) id: RunId,
    pub(crate) tenant: Tenant,
    pub(crate) caller: Caller,
    pub(crate) component: Digest,
    pub(crate) entry: String,
    pub(crate) started: Timestamp,
    pub(crate) stop: Arc<StopSignal>,
    pub(crate) is_permitted: AtomicBool,
    waiters: Mutex<Waiters>,
}

enum Waiters {
    Open(Vec<Waiter>),
    /// It has ended.
    Told,
}

impl Running {
    pub(crate) fn new(
        id: RunId,
        (tenant, caller): (Tenant, Caller),
        component: Digest,
        entry: String,
    ) -> Self {
        Self {
            id,
            tenant,
            caller,
            component,
            entry,
            started: std::time::SystemTime::now().into(),
            stop: Arc::default(),
            is_permitted: AtomicBool::new(false),
            waiters: Mutex::new(Waiters::Open(Vec::new())),
        }
    }

    pub(crate) fn state(&self) -> LaunchState {
        let stage = match self.is_permitted.load(Ordering::Relaxed) {
            _ if self.stop.cancelled_at().is_some() => Stage::Stopping,
            true => Stage::Permitted,
            false => Stage::Asked,
        };
        LaunchState {
            launch: self.id,
            tenant: self.tenant.clone(),
            caller: self.caller,
            component: self.component,
            entry: self.entry.clone(),
            started: self.started,
            stage,
        }
    }

    /// Has somebody told of its end; whether there is still one to come.
    pub(crate) fn tell(&self, waiter: Waiter) -> bool {
        match &mut *self.waiters() {
            Waiters::Open(waiters) => {
                waiters.push(waiter);
                true
            }
            Waiters::Told => false,
        }
    }

    /// Tells everybody who waits.
    pub(crate) fn end(&self, end: &LaunchEnd) {
        let waiters = std::mem::replace(&mut *self.waiters(), Waiters::Told);
        if let Waiters::Open(waiters) = waiters {
            waiters.into_iter().for_each(|waiter| waiter(end));
        }
    }

    fn waiters(&self) -> MutexGuard<'_, Waiters> {
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Those of all tenants.
#[derive(Default)]
pub(crate) struct Launches {
    running: Mutex<HashMap<RunId, Arc<Running>>>,
    changed: Condvar,
}

impl Launches {
    /// Lists a launch until what is returned is dropped.
    pub(crate) fn list(self: &Arc<Self>, running: Running) -> Listed {
        let running = Arc::new(running);
        self.lock().insert(running.id, Arc::clone(&running));
        Listed {
            running,
            launches: Arc::clone(self),
        }
    }

    pub(crate) fn find(&self, id: RunId) -> Option<Arc<Running>> {
        self.lock().get(&id).cloned()
    }

    /// All of them, the oldest first.
    pub(crate) fn all(&self) -> Vec<Arc<Running>> {
        let mut all: Vec<_> = self.lock().values().cloned().collect();
        all.sort_by_key(|running| (running.started, running.id));
        all
    }

    pub(crate) fn cancel_all(&self) {
        self.all().iter().for_each(|running| running.stop.cancel());
    }

    /// Waits until there is none, so long at most; whether that came about.
    pub(crate) fn wait_until_none(&self, longest: Duration) -> bool {
        let running = self.lock();
        let is_any = |running: &mut HashMap<_, _>| !running.is_empty();
        let waited = self.changed.wait_timeout_while(running, longest, is_any);
        waited.unwrap_or_else(PoisonError::into_inner).0.is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RunId, Arc<Running>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A launch in the list.
pub(crate) struct Listed {
    pub(crate) running: Arc<Running>,
    launches: Arc<Launches>,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.launches.lock().remove(&self.running.id);
        self.launches.changed.notify_all();
    }
}
