//! The launches that have not ended, whoever asked for them.

use crate::protocol::{LaunchEnd, LaunchState, Stage};
use hotcell::{Caller, Digest, RunId, StopSignal, Tenant, Timestamp};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Who wants to hear of a launch's end.
pub(crate) type Waiter = Box<dyn FnOnce(&LaunchEnd) + Send>;

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

    /// Takes those who wait for its end, which has come; nobody can wait for it any more.
    pub(crate) fn end(&self) -> Vec<Waiter> {
        match std::mem::replace(&mut *self.waiters(), Waiters::Told) {
            Waiters::Open(waiters) => waiters,
            Waiters::Told => Vec::new(),
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

    /// Whether there is none whose client has not heard of its end.
    pub(crate) fn are_none(&self) -> bool {
        let list = self.lock();
        list.running.is_empty() && list.telling == 0
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
    }
}

/// A launch that has ended, and whose client is about to hear it.
pub(crate) struct Telling(Arc<Launches>);

impl Drop for Telling {
    fn drop(&mut self) {
        self.0.lock().telling -= 1;
    }
}
