//! What watching costs a tiny launch: the time of `begun` and `ended` together, medians.

use hotcell_model::audit::{AuditRecord, Verb};
use hotcell_model::caller::Caller;
use hotcell_model::digest::{Digest, RunId};
use hotcell_model::grant::{Grants, Wants};
use hotcell_model::manifest::ScalarValue;
use hotcell_model::outcome::Outcome;
use hotcell_model::profile::{Isolation, Metering};
use hotcell_model::report::{
    ArrayReport, CacheOutcome, ComponentReport, Report, SCHEMA, Timings, Usage,
};
use hotcell_model::tenant::Tenant;
use hotcell_model::time::Timestamp;
use hotcell_model::watch::Watch;
use hotcell_watch::{Gauges, WatchSettings, Watcher};
use std::time::{Duration, Instant, SystemTime};

const ROUNDS: usize = 200_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let base = tempfile::tempdir()?;
    for state in [None, Some(base.path().join("state"))] {
        let has_state = state.is_some();
        let watcher = Watcher::new(WatchSettings {
            state,
            tenants: vec!["local".parse()?, "alice".parse()?],
            ..WatchSettings::default()
        })?;
        let (record, mut report) = launch()?;
        let mut times: Vec<Duration> = Vec::with_capacity(ROUNDS);
        for round in 0..ROUNDS {
            report.usage.cpu_ns = 30_000 + u64::try_from(round % 1000)?;
            let begun = Instant::now();
            watcher.begun(&record);
            let alerts = watcher.ended(&record, &report);
            times.push(begun.elapsed());
            assert!(alerts.is_empty());
        }
        times.sort_unstable();
        let at = |part: usize| times[ROUNDS * part / 1000];
        println!(
            "state {has_state}: median {:?}, 99th percentile {:?}, 99.9th {:?}",
            at(500),
            at(990),
            at(999)
        );
        let begun = Instant::now();
        let text = watcher.render(&Gauges::default());
        println!("a scrape of {} bytes: {:?}", text.len(), begun.elapsed());
        let begun = Instant::now();
        drop(watcher);
        println!("the end: {:?}", begun.elapsed());
    }
    Ok(())
}

fn launch() -> Result<(AuditRecord, Report), Box<dyn std::error::Error>> {
    let tenant = Tenant::default();
    let started: Timestamp = SystemTime::now().into();
    let run_id = RunId::from_bytes([7; 16]);
    let component = Digest::from_bytes([1; 32]);
    let record = AuditRecord {
        run_id,
        verb: Verb::Launch,
        tenant: tenant.clone(),
        caller: Caller::Uid(1000),
        component: Some(component),
        policy: None,
        path: Some("saxpy.wasm".into()),
        entry: "saxpy".into(),
        isolation: Isolation::Confined,
        metering: Metering::Strict,
        wants: Wants::default(),
        started,
        end: None,
    };
    let array = |name: &str| {
        Ok::<_, Box<dyn std::error::Error>>(ArrayReport {
            name: name.into(),
            dtype: "f32".parse()?,
            shape: vec![16],
            blake3: None,
        })
    };
    let report = Report {
        schema: SCHEMA,
        run_id,
        tenant,
        caller: Caller::Uid(1000),
        started,
        host: "cost".into(),
        policy: None,
        component: ComponentReport {
            digest: Some(component),
            path: Some("saxpy.wasm".into()),
            artifact: None,
            name: "saxpy".into(),
            entry: "saxpy".into(),
        },
        arguments: vec![array("x")?, array("y")?],
        scalars: [("a".to_owned(), ScalarValue::F32(2.0))].into(),
        dims: [("n".to_owned(), 16)].into(),
        results: vec![array("out")?],
        outcome: Outcome::done(),
        outputs: None,
        usage: Usage {
            fuel_used: Some(12_000),
            wall_ns: 40_000,
            peak_memory_bytes: 1 << 20,
            bytes_in: 128,
            bytes_out: 64,
            instances: 1,
            ..Usage::default()
        },
        timings: Timings {
            cache: Some(CacheOutcome::HitMemory),
            instantiate_ns: 5_000,
            call_ns: 30_000,
            body_ns: 9_000,
            settle_ns: 2_000,
            ..Timings::default()
        },
        limits: [].into(),
        grants: Grants::built_in(),
        metering: Metering::Strict,
        seed: None,
        isolation: Isolation::Confined,
        device: None,
        walls: None,
        alerts: Vec::new(),
        observed: Vec::new(),
        foretold: None,
        warnings: Vec::new(),
        jit: Vec::new(),
        log: Vec::new(),
    };
    Ok((record, report))
}
