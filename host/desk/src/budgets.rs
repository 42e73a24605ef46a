//! The budgets that this user's processes share, opened for the first launch that has any.

use crate::Lifetime;
use hotcell::accounts::{Account, Accounts, Allowance, NoBudget};
use hotcell::budget::Amounts;
use hotcell::{Places, Tenant};
use hotcell_ledger::Ledger;
use hotcell_model::stop::StopSignal;
use hotcell_model::text::chain;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Where budgets are kept in the state directory.
pub fn path(places: &Places) -> PathBuf {
    places.state.join("budgets.sqlite")
}

pub(crate) struct Budgets {
    path: PathBuf,
    lifetime: Lifetime,
    opened: OnceLock<Result<Ledger, String>>,
}

impl Budgets {
    pub(crate) fn new(places: &Places, lifetime: Lifetime) -> Self {
        Self {
            path: path(places),
            lifetime,
            opened: OnceLock::new(),
        }
    }

    fn ledger(&self) -> Result<&Ledger, NoBudget> {
        let open = |path: &Path| {
            let ledger = Ledger::open(path).map_err(|error| chain(&error))?;
            Ok(match self.lifetime {
                Lifetime::OneLaunch => ledger.for_one_launch(),
                Lifetime::Process => ledger,
            })
        };
        let opened = self.opened.get_or_init(|| open(&self.path));
        opened
            .as_ref()
            .map_err(|why: &String| NoBudget::Unusable(why.clone()))
    }
}

impl Accounts for Budgets {
    fn open(
        &self,
        tenant: &Tenant,
        allowance: &Allowance,
        wanted: &Amounts,
        is_launch: bool,
        stop: &StopSignal,
    ) -> Result<Box<dyn Account>, NoBudget> {
        self.ledger()?
            .open(tenant, allowance, wanted, is_launch, stop)
    }
}
