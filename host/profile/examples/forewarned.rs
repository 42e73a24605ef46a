//! Asks before it launches whether a kernel's limits will do, by the profile that was taken of it.
//!
//! ```text
//! cargo run --release -p hotcell-profile --example forewarned -- WORKERS saxpy.wasm saxpy.profile.json
//! ```

use hotcell::limit::Limit;
use hotcell::{Array, Cell, Component, Request};
use hotcell_profile::Profile;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = || arguments.next().ok_or("WORKERS KERNEL PROFILE");
    let (workers, kernel, profile) = (argument()?, argument()?, argument()?);
    let cell = Cell::confined().workers(workers).build()?;
    let saxpy = Component::read(kernel)?;
    let ones = || Array::from_slice(&vec![1.0_f32; 1 << 20], [1 << 20]);
    let request = Request::new()
        .scalar("a", 2.5_f32)
        .input("x", ones()?)
        .input("y", ones()?)
        .limit(Limit::Fuel, 5_000_000);

    let profile = Profile::read(Path::new(&profile))?;
    let request = request.foretold_by(Arc::new(profile));
    let permit = match cell.authorize(&saxpy, request) {
        Ok(permit) => permit,
        Err(ended) => return Err(ended.outcome.message.into()),
    };
    for warning in permit.warnings() {
        println!("{warning}");
    }
    Ok(())
}
