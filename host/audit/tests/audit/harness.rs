//! Records to write, and a log to write them to.

use hotcell_audit::{Against, AuditLog, Durability, HostKey, Settings, Verification, verify};
use hotcell_model::audit::{Audit, AuditEnd, AuditRecord, Verb};
use hotcell_model::caller::Caller;
use hotcell_model::digest::{Digest, RunId};
use hotcell_model::grant::{Capability, Grants, Wants};
use hotcell_model::layer::{Layer, LayerReport, Tier};
use hotcell_model::limit::Limits;
use hotcell_model::outcome::{Outcome, OutcomeKind};
use hotcell_model::profile::{Isolation, Metering};
use hotcell_model::report::{
    Alert, AlertKind, ArrayReport, CacheOutcome, ComponentReport, OutputsEnd, Report, SCHEMA,
    Timings, Usage, Walls,
};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The record of something that was asked for.
pub(crate) fn record(number: u64) -> AuditRecord {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&number.to_be_bytes());
    AuditRecord {
        run_id: RunId::from_bytes(id),
        verb: Verb::Launch,
        tenant: "team-a".parse().unwrap(),
        caller: Caller::Uid(1000),
        component: Some(Digest::from_bytes([0xab; 32])),
        policy: Some(Digest::from_bytes([0xcd; 32])),
        path: Some("/srv/kernels/saxpy.wasm".to_owned()),
        entry: "saxpy".to_owned(),
        isolation: Isolation::Confined,
        metering: Metering::Strict,
        wants: Wants::default().with(Capability::Clock),
        started: SystemTime::now().into(),
        end: None,
    }
}

/// How that ended.
pub(crate) fn report(record: &AuditRecord, outcome: Outcome) -> Report {
    let array = |name: &str| ArrayReport {
        name: name.to_owned(),
        dtype: hotcell_manifest::DType::F32,
        shape: vec![1024, 3],
        blake3: Some(Digest::from_bytes([9; 32])),
    };
    let layers: Vec<_> = Layer::ALL
        .into_iter()
        .map(|layer| LayerReport::enforced(layer, "in these words"))
        .collect();
    Report {
        schema: SCHEMA,
        run_id: record.run_id,
        tenant: record.tenant.clone(),
        caller: record.caller,
        started: record.started,
        host: "hotcell 0.1.0".to_owned(),
        policy: record.policy,
        component: ComponentReport {
            digest: record.component,
            path: record.path.clone(),
            artifact: Some(Digest::from_bytes([0xef; 32])),
            name: "saxpy".to_owned(),
            entry: "saxpy".to_owned(),
        },
        arguments: vec![array("x"), array("y")],
        scalars: BTreeMap::new(),
        dims: BTreeMap::new(),
        results: vec![array("z")],
        outcome,
        outputs: Some(OutputsEnd::Returned),
        usage: Usage {
            fuel_used: Some(12_345),
            wall_ns: 1_500_000,
            peak_memory_bytes: 1 << 20,
            ..Usage::default()
        },
        timings: Timings {
            compile_ns: 7_000_000,
            cache: Some(CacheOutcome::HitMemory),
            ..Timings::default()
        },
        limits: Limits::defaults(hotcell_manifest::Weight::Normal).to_report(),
        grants: Grants::built_in(),
        metering: record.metering,
        seed: None,
        isolation: record.isolation,
        device: None,
        walls: Some(Walls {
            tier: Tier::Full,
            required: Tier::Full,
            runner: layers,
            compiler: Vec::new(),
            gpu: Vec::new(),
            guarded: Vec::new(),
        }),
        alerts: Vec::new(),
        observed: Vec::new(),
        foretold: None,
        warnings: Vec::new(),
        jit: Vec::new(),
        log: Vec::new(),
    }
}

/// The same record with its end.
pub(crate) fn ended(record: &AuditRecord, report: &Report) -> AuditRecord {
    AuditRecord {
        end: Some(AuditEnd::of(report, SystemTime::now().into())),
        ..record.clone()
    }
}

/// Records something from its beginning to its end.
pub(crate) fn launch(log: &AuditLog, number: u64) {
    launch_that(log, number, Outcome::done());
}

/// Records something that ends like that.
pub(crate) fn launch_that(log: &AuditLog, number: u64, outcome: Outcome) {
    let record = record(number);
    log.begin(&record).unwrap();
    let mut report = report(&record, outcome);
    if report.outcome.kind != OutcomeKind::Done {
        report.alerts.push(Alert {
            kind: AlertKind::WorkerDied,
            message: "it died".to_owned(),
        });
    }
    log.finish(&ended(&record, &report), &report);
}

/// A directory for logs, and how they are kept there.
pub(crate) struct Place {
    base: tempfile::TempDir,
}

impl Place {
    /// An empty one.
    pub(crate) fn new() -> Self {
        let base = tempfile::tempdir().unwrap();
        Self { base }
    }

    /// The directory of the logs.
    pub(crate) fn logs(&self) -> PathBuf {
        self.base.path().join("audit")
    }

    /// A file beside them.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.base.path().join(name)
    }

    /// How they are kept.
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            durability: Durability::Batched(Duration::from_millis(5)),
            ..Settings::new(self.logs())
        }
    }

    /// A log.
    pub(crate) fn open(&self) -> AuditLog {
        AuditLog::open(self.settings()).unwrap()
    }

    /// A log of so many launches, closed.
    pub(crate) fn with_launches(count: u64) -> Self {
        let place = Self::new();
        let log = place.open();
        (0..count).for_each(|number| launch(&log, number));
        log.close().unwrap();
        place
    }

    /// What there is to be said of the logs without anchors.
    pub(crate) fn verify(&self) -> Verification {
        verify(&self.logs(), &Against::default()).unwrap()
    }

    /// The key of the host.
    pub(crate) fn key(&self) -> HostKey {
        HostKey::of(&self.logs()).unwrap().unwrap()
    }

    /// A file of the first log.
    pub(crate) fn file(&self, suffix: &str) -> PathBuf {
        let mut found: Vec<_> = files(&self.logs().join("log-0001"), suffix);
        found.remove(0)
    }
}

/// The files of a log that end like that, in order.
pub(crate) fn files(log: &Path, suffix: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(log).unwrap();
    let mut found: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.to_string_lossy().ends_with(suffix));
    found.sort();
    found
}

/// Writes a file that is there.
pub(crate) fn overwrite(path: &Path, bytes: &[u8]) {
    use std::io::Write;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(path)
        .unwrap();
    file.write_all(bytes).unwrap();
}
