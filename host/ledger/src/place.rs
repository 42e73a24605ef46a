//! How many launches of a tenant run, or wait, over all processes.
//!
//! Places are held ahead as leases are: a process takes a few more than it needs and keeps them until they were idle for
//! some time, so that a warm launch writes no file. More than the maximum never run; a tenant may be refused early, by what other
//! processes hold ahead. The places of a process that was killed come free when they run out, and when a ledger is opened.
//! Those of a process that has its number in another namespace, as in a container, cannot be judged from here, and count until
//! the machine boots again: containers want a state directory each.

use crate::account::Account;
use crate::error::LedgerError;
use crate::ledger::Ledger;
use crate::store::{self, Holder};
use hotcell_model::budget::PlaceKind;
use hotcell_model::tenant::Tenant;
use rusqlite::Connection;
use std::sync::Arc;

/// No place is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "all places are taken: {taken} of at most {maximum} that are {kind}; try again when one ends"
)]
pub struct Full {
    /// What the place was for.
    pub kind: PlaceKind,
    /// How many are taken or held ahead.
    pub taken: u64,
    /// How many there may be.
    pub maximum: u64,
}

/// Why there is no place.
#[derive(Debug, thiserror::Error)]
pub enum EnterError {
    /// All are taken.
    #[error(transparent)]
    Full(#[from] Full),
    /// The file cannot be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// A place of one launch, free again when it is dropped.
#[derive(Debug)]
#[must_use = "a place is free again when it is dropped"]
pub struct Place {
    ledger: Ledger,
    account: Arc<Account>,
    kind: PlaceKind,
}

impl Ledger {
    /// Takes a place of that kind, of at most `maximum` that the tenant has over all processes.
    ///
    /// When another process's place comes free it is seen by the next call; nobody is told.
    ///
    /// # Errors
    /// All are taken or held by other processes, or the file cannot be used.
    pub fn enter(
        &self,
        tenant: &Tenant,
        kind: PlaceKind,
        maximum: u64,
    ) -> Result<Place, EnterError> {
        self.check_fork()?;
        let account = self.account(tenant);
        if !account.holdings().try_enter(kind, maximum) {
            self.take_places(&account, kind, maximum)?;
        }
        Ok(Place {
            ledger: self.clone(),
            account,
            kind,
        })
    }

    /// How many places of that kind are taken or held ahead, over all processes that live.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn taken(&self, tenant: &Tenant, kind: PlaceKind) -> Result<u64, LedgerError> {
        self.check_fork()?;
        let places = self
            .with_store(|store| store.look(|rows| store::read_places(rows, tenant, kind.name())))?;
        let this = &self.holder().process;
        let living = places
            .iter()
            .filter(|(holder, _)| holder.process == *this || holder.process.lives(this));
        Ok(sum(living))
    }

    fn take_places(
        &self,
        account: &Account,
        kind: PlaceKind,
        maximum: u64,
    ) -> Result<(), EnterError> {
        self.with_store(|store| {
            let own = {
                let mut holdings = account.holdings();
                // Another thread may have taken some, or left one, while this one waited for the file.
                if holdings.try_enter(kind, maximum) {
                    return Ok(());
                }
                // Only whoever has the file changes that.
                holdings.places(kind)
            };
            let (tenant, holder) = (&account.tenant, self.holder());
            let ahead = self.holds_ahead();
            let more = store
                .change(|rows| take_rows(rows, tenant, kind, holder, own, maximum, ahead))??;
            let mut holdings = account.holdings();
            holdings.hold_places(kind, more);
            match holdings.try_enter(kind, maximum) {
                true => Ok(()),
                // Another thread was faster, with a larger maximum.
                false => Err(Full {
                    kind,
                    taken: maximum,
                    maximum,
                }
                .into()),
            }
        })
    }
}

/// Takes one place and, `ahead` of need, a quarter of those that are free beside it. Says how many that is.
fn take_rows(
    rows: &Connection,
    tenant: &Tenant,
    kind: PlaceKind,
    holder: &Holder,
    own: u64,
    maximum: u64,
    ahead: bool,
) -> rusqlite::Result<Result<u64, Full>> {
    let taken = || {
        let places = store::read_places(rows, tenant, kind.name())?;
        let others = places.iter().filter(|(other, _)| other != holder);
        Ok::<_, rusqlite::Error>(sum(others).saturating_add(own))
    };
    let mut all = taken()?;
    if all >= maximum {
        store::reap(rows, &holder.process)?;
        all = taken()?;
    }
    if all >= maximum {
        let taken = all;
        return Ok(Err(Full {
            kind,
            taken,
            maximum,
        }));
    }
    let more = match ahead {
        true => 1 + (maximum - all - 1) / 4,
        false => 1,
    };
    store::write_places(rows, tenant, kind.name(), holder, own + more)?;
    Ok(Ok(more))
}

fn sum<'a>(places: impl Iterator<Item = &'a (Holder, u64)>) -> u64 {
    places.fold(0, |all, (_, held)| all.saturating_add(*held))
}

impl Drop for Place {
    fn drop(&mut self) {
        // A fork has a copy of its parent's place, which is not its own to free.
        if !self.ledger.is_forked() {
            self.account.holdings().leave(self.kind);
        }
    }
}
