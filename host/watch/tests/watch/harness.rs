//! Records and reports as a cell makes them.

use hotcell_model::audit::{AuditRecord, Verb};
use hotcell_model::caller::Caller;
use hotcell_model::digest::{Digest, RunId};
use hotcell_model::grant::{Grants, Wants};
use hotcell_model::outcome::Outcome;
use hotcell_model::profile::{Isolation, Metering};
use hotcell_model::report::{
    Alert, ArrayReport, CacheOutcome, Compilation, ComponentReport, Report, SCHEMA, Timings, Usage,
};
use hotcell_model::tenant::Tenant;
use hotcell_model::time::Timestamp;
use hotcell_model::watch::Watch;
use hotcell_watch::{WatchSettings, Watcher};
use std::time::SystemTime;

/// A watcher without state and sinks.
pub(crate) fn watcher() -> Watcher {
    Watcher::new(WatchSettings::default()).unwrap()
}

/// A digest of one number.
pub(crate) fn digest(number: u32) -> Digest {
    let bytes = [number.to_le_bytes(); 8];
    Digest::from_bytes(bytes.as_flattened().try_into().unwrap())
}

/// A request with its end.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) record: AuditRecord,
    pub(crate) report: Report,
}

impl Request {
    /// A warm launch of a tiny kernel for that tenant.
    pub(crate) fn of(tenant: &str) -> Self {
        let tenant: Tenant = tenant.parse().unwrap();
        let started: Timestamp = SystemTime::now().into();
        let run_id = RunId::from_bytes([7; 16]);
        let record = AuditRecord {
            run_id,
            verb: Verb::Launch,
            tenant: tenant.clone(),
            caller: Caller::Uid(1000),
            component: Some(digest(1)),
            policy: None,
            path: Some("saxpy.wasm".into()),
            entry: "saxpy".into(),
            isolation: Isolation::Confined,
            metering: Metering::Strict,
            wants: Wants::default(),
            started,
            end: None,
        };
        let array = |name: &str| ArrayReport {
            name: name.into(),
            dtype: "f32".parse().unwrap(),
            shape: vec![1000],
            blake3: None,
        };
        let report = Report {
            schema: SCHEMA,
            run_id,
            tenant,
            caller: Caller::Uid(1000),
            started,
            host: "test".into(),
            policy: None,
            component: ComponentReport {
                digest: Some(digest(1)),
                path: Some("saxpy.wasm".into()),
                artifact: None,
                name: "saxpy".into(),
                entry: "saxpy".into(),
            },
            arguments: vec![array("x"), array("y")],
            scalars: [(
                "a".to_owned(),
                hotcell_model::manifest::ScalarValue::F32(2.0),
            )]
            .into(),
            dims: [("n".to_owned(), 1000)].into(),
            results: Vec::new(),
            outcome: Outcome::done(),
            outputs: None,
            usage: Usage {
                fuel_used: Some(12_000),
                wall_ns: 40_000,
                cpu_ns: 35_000,
                peak_memory_bytes: 1 << 20,
                bytes_in: 8000,
                bytes_out: 4000,
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
        Self { record, report }
    }

    /// The same, for which a component had to be compiled.
    pub(crate) fn compiled(
        mut self,
        component: u8,
        compilation: Compilation,
        wall_ns: u64,
    ) -> Self {
        self.report.component.digest = Some(digest(component.into()));
        self.report.timings.compile_ns = wall_ns;
        self.report.timings.cache = Some(CacheOutcome::Miss("not compiled before".into()));
        self.report.timings.compilation = Some(compilation);
        self
    }

    /// Has it begun and ended under a watcher.
    pub(crate) fn watch(&self, watcher: &Watcher) -> Vec<Alert> {
        watcher.begun(&self.record);
        watcher.ended(&self.record, &self.report)
    }
}
