//! Embedding hotcell: the program of docs/embedding.md.
//!
//! `cargo xtask workers && cargo xtask kernels && cargo run --release -p hotcell --example embed`

use hotcell::grant::{Capability, Grants};
use hotcell::limit::Limit;
use hotcell::manifest::DType;
use hotcell::outcome::{Blame, OutcomeKind};
use hotcell::report::{LogLine, Report};
use hotcell::{
    Array, ArrayType, Audit, AuditRecord, Cell, Component, Ended, Observer, Places, Request,
    Tenant, Terms, Tier,
};
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

fn main() -> Result<(), Box<dyn Error>> {
    let kernels = std::env::args().nth(1);
    let kernels = kernels.as_deref().unwrap_or("target/kernels");
    let cell = cell("target/libexec/hotcell")?;
    let saxpy = Component::read(format!("{kernels}/saxpy.wasm"))?;
    let edges = Component::read(format!("{kernels}/edges.wasm"))?;
    let mpm88 = Component::read(format!("{kernels}/mpm88.wasm"))?;

    println!("2.5 * x + y = {:?}", once(&cell, &saxpy)?);
    for_tenants(&cell, &saxpy)?;
    large(&cell, &edges)?;
    refused(&cell, &saxpy);
    cancelled(&cell, &mpm88)
}

/// One for the program: its clones share runners, queue and cache.
fn cell(workers: impl AsRef<Path>) -> Result<Cell, Box<dyn Error>> {
    let cell = Cell::confined()
        .workers(workers.as_ref()) // unless they are beside the program or in ../libexec/hotcell
        .require_tier(Tier::Full)
        .cache(Places::from_environment()?)
        .audit(Arc::new(Journal))
        .policy(Terms {
            grants: Grants::built_in().with(Capability::Clock),
            ..Terms::default()
        })
        .build()?;
    Ok(cell)
}

/// A launch on the calling thread.
fn once(cell: &Cell, saxpy: &Component) -> Result<Vec<f32>, Box<dyn Error>> {
    let request = Request::new()
        .scalar("a", 2.5f32)
        .input("x", Array::from_slice(&[1.0f32, 2.0, 3.0], [3])?)
        .input("y", Array::from_slice(&[10.0f32, 20.0, 30.0], [3])?)
        .timeout(Duration::from_secs(5))
        .limit(Limit::Fuel, 1_000_000);
    let ended = done(cell.run(saxpy, request))?;
    Ok(ended.array("out").ok_or("no output")?.to_vec()?)
}

/// What a program does about an end that is none of success.
fn done(ended: Ended) -> Result<Ended, String> {
    let outcome = &ended.outcome;
    match (outcome.kind, outcome.blame) {
        (OutcomeKind::Done, _) => Ok(ended),
        (OutcomeKind::Budget, _) => Err("busy: try again later".to_owned()),
        (kind, Some(Blame::Guest)) => Err(format!("the kernel: {kind}: {}", outcome.message)),
        (kind, Some(Blame::Request)) => Err(format!("the request: {kind}: {}", outcome.message)),
        (kind, _) => Err(format!("look at the host: {kind}: {}", outcome.message)),
    }
}

/// Two parties whose launches share no process and no artifact.
fn for_tenants(cell: &Cell, saxpy: &Component) -> Result<(), Box<dyn Error>> {
    let threads = ["alice", "bob"].map(|name| {
        let (cell, saxpy) = (cell.clone(), saxpy.clone());
        std::thread::spawn(move || -> Result<String, String> {
            let words = |error: &dyn Error| error.to_string();
            let tenant = name.parse::<Tenant>().map_err(|error| words(&error))?;
            let ones = Array::from_slice(&[1.0f32; 8], [8]).map_err(|error| words(&error))?;
            let request = Request::new()
                .tenant(tenant)
                .scalar("a", 2.0f32)
                .input("x", ones.clone())
                .input("y", ones);
            let ended = done(cell.run(&saxpy, request))?;
            Ok(format!("{name}: fuel {:?}", ended.report.usage.fuel_used))
        })
    });
    for thread in threads {
        println!("{}", thread.join().map_err(|_| "a thread panicked")??);
    }
    Ok(())
}

/// A large array, in memory that the runner maps as it is; the result goes into the next launch without a copy.
fn large(cell: &Cell, edges: &Component) -> Result<(), Box<dyn Error>> {
    let ty = ArrayType::new(DType::U8, [1080, 1920, 4])?;
    let mut picture = Array::shared(ty, |bytes| {
        let noise = (0..=u8::MAX).cycle().step_by(7);
        bytes.iter_mut().zip(noise).for_each(|(byte, n)| *byte = n);
        Ok(())
    })?;
    for _ in 0..2 {
        let ended = done(cell.run(edges, Request::new().input("image", picture)))?;
        picture = ended.array("out").ok_or("no output")?.clone();
    }
    println!("edges of edges: {}", picture.ty());
    Ok(())
}

/// Nothing is an error but an outcome: this one asks for an entry that there is not.
fn refused(cell: &Cell, saxpy: &Component) {
    let ended = cell.run(saxpy, Request::new().entry("sqrt"));
    println!("{}: {}", ended.outcome.kind, ended.outcome.message);
}

/// A launch of a minute and more on a thread of its own, watched, and cancelled from here.
fn cancelled(cell: &Cell, mpm88: &Component) -> Result<(), Box<dyn Error>> {
    let request = Request::new()
        .entry("frames")
        .dim("t", 2000)
        .dim("h", 64)
        .dim("w", 64)
        .observer(Arc::new(Screen));
    let launch = cell
        .start(mpm88, request)
        .map_err(|ended| ended.outcome.message)?;
    let cancel = launch.canceller(); // cancels when `launch` is elsewhere
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(500));
        cancel();
    });
    let ended = launch.wait();
    println!("{}: {}", ended.outcome.kind, ended.outcome.message);
    println!("partial: {}", ended.outcome.partial);
    Ok(())
}

/// Hears of a launch while it runs. Its methods are called by the thread that runs the launch: be quick.
struct Screen;

impl Observer for Screen {
    fn log(&self, line: &LogLine) {
        println!("the guest says: {}", line.message); // escaped already
    }

    fn progress(&self, done: u64, total: u64) {
        if done.is_multiple_of(10) {
            println!("{done} of {total}");
        }
    }
}

/// Records every launch, before it runs and when it has ended.
struct Journal;

impl Audit for Journal {
    fn begin(&self, record: &AuditRecord) -> std::io::Result<()> {
        println!("begin {} {}", record.run_id, record.verb); // an error here, and nothing is done
        Ok(())
    }

    fn finish(&self, record: &AuditRecord, report: &Report) {
        println!("finish {} {}", record.run_id, report.outcome.kind);
    }
}
