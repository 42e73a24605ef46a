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
    listed: Mutex<List>,
    changed: Condvar,
}

#[derive(Default)]
struct List {
    running: HashMap<RunId, Arc<Running>>,
    /// How many have ended, and their clients are about to hear it.
    telling: usize,
}

impl Launches {
    /// Lists a launch until what is returned is dropped or taken off the list.
    pub(crate) fn list(self: &Arc<Self>, running: Running) -> Listed {
        let running = Arc::new(running);
        self.lock().running.insert(running.id, Arc::clone(&running));
        Listed {
            running,
            launches: Arc::clone(self),
        }
    }

    pub(crate) fn find(&self, id: RunId) -> Option<Arc<Running>> {
        self.lock().running.get(&id).cloned()
    }

    /// All of them, the oldest first.
    pub(crate) fn all(&self) -> Vec<Arc<Running>> {
        let mut all: Vec<_> = self.lock().running.values().cloned().collect();
        all.sort_by_key(|running| (running.started, running.id));
        all
    }

    pub(crate) fn cancel_all(&self) {
        self.all().iter().for_each(|running| running.stop.cancel());
    }

    /// Waits until there is none whose client has not heard of its end, so long at most; whether that came about.
    pub(crate) fn wait_until_none(&self, longest: Duration) -> bool {
        let is_any = |list: &mut List| !list.running.is_empty() || list.telling > 0;
        let waited = self
            .changed
            .wait_timeout_while(self.lock(), longest, is_any);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A launch in the list.
pub(crate) struct Listed {
    pub(crate) running: Arc<Running>,
    launches: Arc<Launches>,
}

impl Listed {
    /// Takes it off the list. It counts until its client has heard of its end, when what is returned is to be dropped.
    pub(crate) fn unlist(self) -> Telling {
        self.launches.lock().telling += 1;
        Telling(Arc::clone(&self.launches))
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.launches.lock().running.remove(&self.running.id);
        self.launches.changed.notify_all();
    }
}

/// A launch that has ended, and whose client is about to hear it.
pub(crate) struct Telling(Arc<Launches>);

impl Drop for Telling {
    fn drop(&mut self) {
        self.0.lock().telling -= 1;
        self.0.changed.notify_all();
    }
}
