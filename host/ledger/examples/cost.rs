//! What reserving and charging cost, in nanoseconds: the median of many rounds of some.

use hotcell_ledger::{Amounts, Budgets, Ledger, PlaceKind, Rate, Resource};
use hotcell_model::tenant::Tenant;
use std::time::{Duration, Instant};

const ROUNDS: usize = 301;

fn median(name: &str, each: u32, mut work: impl FnMut()) {
    let mut rounds: Vec<u128> = (0..ROUNDS)
        .map(|_| {
            let began = Instant::now();
            (0..each).for_each(|_| work());
            began.elapsed().as_nanos() / u128::from(each)
        })
        .collect();
    rounds.sort_unstable();
    let (median, late) = (rounds[ROUNDS / 2], rounds[ROUNDS * 99 / 100]);
    println!("{name:<58} {median:>8} ns, at the 99th of 100 {late:>8} ns");
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // On a disk: a directory of temporary files may be in memory.
    let directory = tempfile::tempdir_in(std::env::current_dir()?)?;
    let path = directory.path().join("state/budgets.sqlite");
    let began = Instant::now();
    let ledger = Ledger::open(&path)?;
    println!("begun in {:?}", began.elapsed());
    let second = Duration::from_secs(1);
    let rate = Rate::new(1 << 60, 1 << 60, second)?;
    let budgets: Budgets = Resource::ALL.into_iter().map(|one| (one, rate)).collect();
    let all: Amounts = Resource::ALL.into_iter().map(|one| (one, 1)).collect();
    let tenant = Tenant::default();
    let launch = |ledger: &Ledger, budgets: &Budgets, wanted: &Amounts| {
        let reservation = ledger.reserve(&tenant, budgets, wanted);
        reservation
            .expect("enough")
            .charge(wanted)
            .expect("it is there");
    };
    median("reserve and charge, six budgets, leased", 1000, || {
        launch(&ledger, &budgets, &all);
    });
    median("enter and leave, held ahead", 1000, || {
        drop(ledger.enter(&tenant, PlaceKind::Running, 8).expect("free"));
    });
    // Below 16 nothing is leased, and each launch draws.
    let draws = Rate::new(15, Rate::LARGEST, Rate::SHORTEST)?;
    let one = Budgets::new().with(Resource::Fuel, draws);
    let wanted = Amounts::new().with(Resource::Fuel, 1);
    median("reserve and charge, one budget, drawn", 10, || {
        launch(&ledger, &one, &wanted);
    });
    let six: Budgets = Resource::ALL.into_iter().map(|one| (one, draws)).collect();
    let other = "other".parse()?;
    median("reserve and charge, six budgets, drawn", 10, || {
        let reservation = ledger.reserve(&other, &six, &all).expect("enough");
        reservation.charge(&all).expect("it is there");
    });
    let empty = Rate::new(15, 1, Rate::LONGEST)?;
    let one = Budgets::new().with(Resource::Bytes, empty);
    let wanted = Amounts::new().with(Resource::Bytes, 15);
    let third = "third".parse()?;
    drop(ledger.reserve(&third, &one, &wanted)?);
    median("refused", 10, || {
        ledger
            .reserve(&third, &one, &wanted)
            .expect_err("it is empty");
    });
    median("levels of six budgets", 10, || {
        ledger.levels(&other, &six).expect("it is there");
    });
    drop(ledger);
    let mut open = Vec::new();
    median("opened, one draw, closed: alone", 1, || {
        let ledger = Ledger::open(&path).expect("it is there");
        launch(&ledger, &budgets, &all);
    });
    open.push(Ledger::open(&path)?);
    median("opened, one draw, closed: another has it open", 1, || {
        let ledger = Ledger::open(&path).expect("it is there");
        launch(&ledger, &budgets, &all);
    });
    Ok(())
}
