//! The ledger as whoever keeps a cell's budgets.

use crate::draw::Refused;
use crate::error::LedgerError;
use crate::ledger::{Ledger, Reservation, ReserveError};
use crate::place::{EnterError, Full, Place};
use hotcell_model::accounts::{Account, Accounts, Allowance, NoBudget};
use hotcell_model::budget::{Amounts, PlaceKind};
use hotcell_model::outcome::Cause;
use hotcell_model::stop::StopSignal;
use hotcell_model::tenant::Tenant;
use hotcell_model::text::chain;
use std::time::Duration;

/// How soon a launch that waits looks for a place again, at first and at most: nobody is told when another process's comes
/// free.
const LOOK_AFTER: Duration = Duration::from_millis(5);
const LOOK_AT_LEAST_EVERY: Duration = Duration::from_millis(100);

/// What one launch has.
struct LedgerAccount {
    reservation: Reservation,
    place: Option<Place>,
}

impl Accounts for Ledger {
    fn open(
        &self,
        tenant: &Tenant,
        allowance: &Allowance,
        wanted: &Amounts,
        is_launch: bool,
        stop: &StopSignal,
    ) -> Result<Box<dyn Account>, NoBudget> {
        let running = allowance.running.filter(|_| is_launch);
        let place = running
            .map(|most| self.wait_for_place(tenant, most, allowance.waiting, stop))
            .transpose()?;
        // Only now: who waits holds nothing that others could use.
        let reservation = self.reserve(tenant, &allowance.budgets, wanted)?;
        Ok(Box::new(LedgerAccount { reservation, place }))
    }
}

impl Ledger {
    fn wait_for_place(
        &self,
        tenant: &Tenant,
        most: u64,
        waiting: u64,
        stop: &StopSignal,
    ) -> Result<Place, NoBudget> {
        let enter = || self.enter(tenant, PlaceKind::Running, most);
        let full = match enter() {
            Ok(place) => return Ok(place),
            Err(EnterError::Full(full)) => full,
            Err(error) => return Err(error.into()),
        };
        if waiting == 0 {
            return Err(full.into());
        }
        let _waiting = self.enter(tenant, PlaceKind::Waiting, waiting)?;
        let mut wait = LOOK_AFTER;
        loop {
            std::thread::sleep(wait);
            wait = (wait * 2).min(LOOK_AT_LEAST_EVERY);
            if stop.cancelled_at().is_some() {
                return Err(NoBudget::Cancelled);
            }
            match enter() {
                Ok(place) => return Ok(place),
                Err(EnterError::Full(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Account for LedgerAccount {
    fn charge(self: Box<Self>, used: &Amounts) -> Result<(), String> {
        let Self { reservation, place } = *self;
        let charged = reservation.charge(used);
        drop(place);
        charged.map_err(|error| chain(&error))
    }
}

impl From<Full> for NoBudget {
    fn from(full: Full) -> Self {
        Self::Refused(Cause::PlacesTaken {
            kind: full.kind,
            maximum: full.maximum,
        })
    }
}

impl From<Refused> for NoBudget {
    fn from(refused: Refused) -> Self {
        let wait = refused.retry_after;
        let wait = wait.map(|wait| u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX));
        Self::Refused(Cause::BudgetSpent {
            resource: refused.resource,
            left: refused.left,
            size: refused.size,
            retry_after_ns: wait,
        })
    }
}

impl From<LedgerError> for NoBudget {
    fn from(error: LedgerError) -> Self {
        Self::Unusable(chain(&error))
    }
}

impl From<EnterError> for NoBudget {
    fn from(error: EnterError) -> Self {
        match error {
            EnterError::Full(full) => full.into(),
            EnterError::Ledger(error) => error.into(),
        }
    }
}

impl From<ReserveError> for NoBudget {
    fn from(error: ReserveError) -> Self {
        match error {
            ReserveError::Refused(refused) => refused.into(),
            ReserveError::Ledger(error) => error.into(),
        }
    }
}
