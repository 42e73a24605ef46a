//! Reserving what a launch may use, and charging what it used.

use crate::account::{Account, Surplus, Which};
use crate::clock::{Clock, SystemClock, nanoseconds};
use crate::draw::{self, Refused};
use crate::error::LedgerError;
use crate::process::{Opened, Process};
use crate::store::{self, Holder, Store};
use hotcell_model::budget::{Amounts, Resource};
use hotcell_model::budget::{Budgets, Rate};
use hotcell_model::tenant::Tenant;
use rusqlite::Connection;
use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often the file is tidied and brought to the disk, in nanoseconds.
const TIDY_NS: i64 = 60_000_000_000;

/// [`Ledger::IDLE`] in nanoseconds.
const IDLE_NS: i64 = 2_000_000_000;

/// The budgets in one file, as this process uses them. Clones are the same ledger.
///
/// Time is the wall clock's, which processes and boots share. A clock that goes back refills nothing: up to 10 s are waited
/// for, so that no span counts twice, and from one that goes back further refilling goes on, so that nobody is refused for
/// long. A clock that jumps ahead fills buckets, and never beyond their size.
///
/// A fork of the process that opened it must not use it: each call is an error there, and so is opening another.
#[derive(Clone)]
pub struct Ledger {
    inner: Arc<Inner>,
}

/// What the clones share.
struct Inner {
    /// `None` once it was closed, which only the last clone does.
    store: Mutex<Option<Store>>,
    accounts: Mutex<HashMap<Tenant, Arc<Account>>>,
    ticks: Mutex<Ticks>,
    clock: Box<dyn Clock>,
    holder: Holder,
    /// Whether places are held ahead.
    holds_ahead: AtomicBool,
    /// Behind the file, which is closed first.
    opened: Opened,
}

/// What is done now and then.
#[derive(Default)]
struct Ticks {
    /// The last look for what is idle.
    looked_ns: Option<i64>,
    /// The last sweep.
    tidied_ns: Option<i64>,
    /// Where the next sweep begins.
    sweep_from: (String, String),
}

/// Why nothing was reserved.
#[derive(Debug, thiserror::Error)]
pub enum ReserveError {
    /// There is too little.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The file cannot be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// What is in one bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// What it counts.
    pub resource: Resource,
    /// Its size and refill.
    pub rate: Rate,
    /// What is in it, leases not counted; below zero is debt.
    pub left: i64,
    /// What this process has of it as a lease and no launch has reserved. Other processes' leases are not seen.
    pub leased: u64,
    /// How long until it is full if nobody draws.
    pub full_in: Duration,
}

impl Ledger {
    /// A lease or place that was not used for this long is given back by [`return_idle`](Self::return_idle), and by twice
    /// as long if that is called often.
    pub const IDLE: Duration = Duration::from_secs(2);

    /// Opens the budgets at that path, or begins them: every bucket is full then. The directory is made with mode 0700 if it
    /// is not there, the file with 0600.
    ///
    /// # Errors
    /// As [`LedgerError`] says; among them a path that is not the caller's own and a file that is not to be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, LedgerError> {
        Self::open_with_clock(path, SystemClock)
    }

    /// As [`open`](Self::open), by another clock.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with_clock(
        path: impl AsRef<Path>,
        clock: impl Clock + 'static,
    ) -> Result<Self, LedgerError> {
        static INSTANCES: AtomicI64 = AtomicI64::new(0);
        let opened = Opened::new()?;
        let holder = Holder {
            process: Process::this()?,
            instance: INSTANCES.fetch_add(1, Ordering::Relaxed),
        };
        let mut store = Store::open(path.as_ref())?;
        store.change(|rows| store::reap(rows, &holder.process))?;
        Ok(Self {
            inner: Arc::new(Inner {
                store: Mutex::new(Some(store)),
                accounts: Mutex::default(),
                ticks: Mutex::default(),
                clock: Box::new(clock),
                holder,
                holds_ahead: AtomicBool::new(true),
                opened,
            }),
        })
    }

    /// Takes no places ahead: for a process that launches once, and would keep others from what it never uses.
    #[must_use]
    pub fn for_one_launch(self) -> Self {
        self.inner.holds_ahead.store(false, Ordering::Relaxed);
        self
    }

    /// Whether places are held ahead.
    pub(crate) fn holds_ahead(&self) -> bool {
        self.inner.holds_ahead.load(Ordering::Relaxed)
    }

    /// Reserves what a launch may use: all of it or nothing. Only what has a budget is looked at, and of that only what is
    /// wanted: whoever cannot tell beforehand what a launch takes wants at least 1, so that debt holds it back.
    ///
    /// # Errors
    /// A budget has too little, or the file cannot be used.
    pub fn reserve(
        &self,
        tenant: &Tenant,
        budgets: &Budgets,
        wanted: &Amounts,
    ) -> Result<Reservation, ReserveError> {
        self.check_fork()?;
        let account = self.account(tenant);
        if !account.holdings().try_reserve(budgets, wanted) {
            self.draw(&account, budgets, wanted)?;
        }
        Ok(Reservation {
            ledger: self.clone(),
            account,
            budgets: *budgets,
            reserved: *wanted,
        })
    }

    /// What is left of each budget.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn levels(&self, tenant: &Tenant, budgets: &Budgets) -> Result<Vec<Level>, LedgerError> {
        self.check_fork()?;
        let held = self.accounts().get(tenant).map(Arc::clone);
        let held = held.map_or_else(Amounts::new, |account| account.holdings().held());
        self.with_store(|store| {
            store.look(|rows| {
                let now_ns = self.inner.now_ns();
                let level = |(resource, rate)| {
                    let stored = store::read_bucket(rows, tenant, resource)?;
                    let bucket = draw::current(stored, rate, now_ns);
                    Ok(Level {
                        resource,
                        rate,
                        left: bucket.level,
                        leased: held.get(resource),
                        full_in: bucket.full_in(now_ns),
                    })
                };
                budgets.iter().map(level).collect()
            })
        })
    }

    /// Gives back the leases and places that were not used for some time, and writes debts that could not be written
    /// before. To be called about once a second by a process that goes on: what it holds idle, others cannot have.
    /// Once a minute it also forgets tenants whose buckets are full, and brings the file to the disk.
    ///
    /// # Errors
    /// The file cannot be used; what could not be given back is kept, and is given back another time.
    pub fn return_idle(&self) -> Result<(), LedgerError> {
        self.check_fork()?;
        let now_ns = self.inner.now_ns();
        if !self.is_time_to_look(now_ns) {
            return Ok(());
        }
        self.inner.give_back(Which::Idle)?;
        self.accounts()
            .retain(|_, account| Arc::strong_count(account) > 1 || !account.holdings().is_empty());
        self.tidy(now_ns)
    }

    /// Gives back everything that no launch has, as the end of the last clone does, which says nothing if it cannot.
    ///
    /// # Errors
    /// The file cannot be used; what could not be given back is kept.
    pub fn return_all(&self) -> Result<(), LedgerError> {
        self.check_fork()?;
        self.inner.give_back(Which::All)
    }

    /// Whether the last look is long enough ago.
    fn is_time_to_look(&self, now_ns: i64) -> bool {
        let mut ticks = self.inner.ticks();
        let since = ticks.looked_ns.map(|last| now_ns.saturating_sub(last));
        // The first time, and where the clock was set back, it begins.
        let is_time = since.is_some_and(|since| since >= IDLE_NS);
        if is_time || since.is_none_or(|since| since < 0) {
            ticks.looked_ns = Some(now_ns);
        }
        is_time
    }

    fn tidy(&self, now_ns: i64) -> Result<(), LedgerError> {
        let from = {
            let mut ticks = self.inner.ticks();
            let since = ticks.tidied_ns.map(|last| now_ns.saturating_sub(last));
            if since.is_some_and(|since| (0..TIDY_NS).contains(&since)) {
                return Ok(());
            }
            ticks.tidied_ns = Some(now_ns);
            std::mem::take(&mut ticks.sweep_from)
        };
        let next = self.with_store(|store| {
            let next = store.change(|rows| store::sweep(rows, &from, now_ns))?;
            store.checkpoint().map(|()| next)
        })?;
        self.inner.ticks().sweep_from = next;
        Ok(())
    }

    /// Takes what is wanted from the leases and the buckets, and a lease with it.
    fn draw(
        &self,
        account: &Account,
        budgets: &Budgets,
        wanted: &Amounts,
    ) -> Result<(), ReserveError> {
        self.with_store(|store| {
            let claim = {
                let mut holdings = account.holdings();
                // Another thread may have drawn while this one waited for the file.
                if holdings.try_reserve(budgets, wanted) {
                    return Ok(());
                }
                holdings.claim(budgets, wanted)
            };
            let tenant = &account.tenant;
            let drawn = store.change(|rows| {
                let now_ns = self.inner.now_ns();
                draw::draw(rows, tenant, budgets, wanted, &claim, now_ns)
            });
            let mut holdings = account.holdings();
            match drawn {
                Ok(Ok(ahead)) => {
                    holdings.hold(&ahead);
                    Ok(())
                }
                Ok(Err(refused)) => {
                    holdings.hold(&claim.taken);
                    Err(refused.into())
                }
                Err(error) => {
                    holdings.hold(&claim.taken);
                    holdings.owe(&claim.owed, budgets);
                    Err(error.into())
                }
            }
        })
    }

    /// Writes what a launch used more than there was, and puts back what the lease has too much of.
    fn settle(&self, account: &Account, surplus: &Amounts) -> Result<(), LedgerError> {
        self.with_store(|store| {
            let (owed, owed_under) = account.holdings().take_owed();
            let settled = store.change(|rows| {
                let tenant = &account.tenant;
                draw::owe(rows, tenant, &owed, &owed_under, self.inner.now_ns())?;
                draw::put_back(rows, tenant, surplus)
            });
            let Err(error) = settled else { return Ok(()) };
            let mut holdings = account.holdings();
            holdings.hold(surplus);
            holdings.owe(&owed, &owed_under);
            match owed.is_zero() {
                // Nothing that was charged is missing from the file; the lease is larger until the next time.
                true => Ok(()),
                false => Err(error),
            }
        })
    }

    /// The account of a tenant in this process.
    pub(crate) fn account(&self, tenant: &Tenant) -> Arc<Account> {
        let mut accounts = self.accounts();
        if let Some(account) = accounts.get(tenant) {
            return Arc::clone(account);
        }
        let account = Arc::new(Account::new(tenant.clone()));
        accounts.insert(tenant.clone(), Arc::clone(&account));
        account
    }

    fn accounts(&self) -> MutexGuard<'_, HashMap<Tenant, Arc<Account>>> {
        self.inner.accounts()
    }

    /// Works on the file. Whoever has the file may take an account's holdings, and nobody the other way round.
    pub(crate) fn with_store<T>(&self, work: impl FnOnce(&mut Store) -> T) -> T {
        self.inner.with_store(work)
    }

    /// Refuses what a fork asks for.
    pub(crate) fn check_fork(&self) -> Result<(), LedgerError> {
        self.inner.opened.check()
    }

    /// Whether this is a fork of the process that opened it.
    pub(crate) fn is_forked(&self) -> bool {
        self.inner.opened.is_forked()
    }

    /// Who this ledger holds places as.
    pub(crate) fn holder(&self) -> &Holder {
        &self.inner.holder
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger").finish_non_exhaustive()
    }
}

impl Inner {
    fn now_ns(&self) -> i64 {
        nanoseconds(self.clock.now())
    }

    fn accounts(&self) -> MutexGuard<'_, HashMap<Tenant, Arc<Account>>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ticks(&self) -> MutexGuard<'_, Ticks> {
        self.ticks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_store<T>(&self, work: impl FnOnce(&mut Store) -> T) -> T {
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(store) = store.as_mut() else {
            unreachable!("the file is closed when nobody can ask for it any more");
        };
        work(store)
    }

    fn give_back(&self, which: Which) -> Result<(), LedgerError> {
        self.with_store(|store| {
            let accounts: Vec<Arc<Account>> = self.accounts().values().map(Arc::clone).collect();
            let surpluses = accounts.into_iter().map(|account| {
                let surplus = account.holdings().take_surplus(which);
                (account, surplus)
            });
            let mut surpluses: Vec<(Arc<Account>, Surplus)> = surpluses.collect();
            surpluses.retain(|(_, surplus)| !surplus.is_empty());
            if surpluses.is_empty() {
                return Ok(());
            }
            let given = store.change(|rows| {
                surpluses.iter().try_for_each(|(account, surplus)| {
                    self.give_back_rows(rows, &account.tenant, surplus)
                })
            });
            if given.is_err() {
                for (account, surplus) in &surpluses {
                    account.holdings().keep(surplus);
                }
            }
            given
        })
    }

    fn give_back_rows(
        &self,
        rows: &Connection,
        tenant: &Tenant,
        surplus: &Surplus,
    ) -> rusqlite::Result<()> {
        draw::owe(
            rows,
            tenant,
            &surplus.owed,
            &surplus.owed_under,
            self.now_ns(),
        )?;
        draw::put_back(rows, tenant, &surplus.leases)?;
        surplus.places_left().try_for_each(|(kind, left)| {
            store::write_places(rows, tenant, kind.name(), &self.holder, left)
        })
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if self.opened.is_forked() {
            // To close it would take the parent's locks for this process's own.
            let store = self.store.get_mut().unwrap_or_else(PoisonError::into_inner);
            std::mem::forget(store.take());
            return;
        }
        // What cannot be given back is forfeited, as by a kill.
        let _ = self.give_back(Which::All);
        let store = self.store.get_mut().unwrap_or_else(PoisonError::into_inner);
        drop(store.take());
    }
}

/// What one launch may use.
///
/// Dropped without [`charge`](Self::charge), all of it counts as used: whatever happens to a launch, its budget is not given
/// away.
#[derive(Debug)]
#[must_use = "what was reserved counts as used unless it is charged"]
pub struct Reservation {
    ledger: Ledger,
    account: Arc<Account>,
    budgets: Budgets,
    reserved: Amounts,
}

impl Reservation {
    /// What was reserved.
    pub fn reserved(&self) -> &Amounts {
        &self.reserved
    }

    /// Charges what the launch used; what is not named was not used. What it used less than reserved goes back to this
    /// process's lease, what it used more comes off that, and the rest is written as debt.
    ///
    /// # Errors
    /// Debt could not be written. It is kept in memory, and written before this process reserves anything more for the
    /// tenant; until then a kill would lose it.
    pub fn charge(self, used: &Amounts) -> Result<(), LedgerError> {
        self.ledger.check_fork()?;
        let (surplus, owes) = {
            let mut holdings = self.account.holdings();
            let surplus = holdings.settle(&self.budgets, &self.reserved, used);
            (surplus, holdings.owes())
        };
        match surplus.is_zero() && !owes {
            true => Ok(()),
            false => self.ledger.settle(&self.account, &surplus),
        }
    }
}
