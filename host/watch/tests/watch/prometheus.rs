//! A real Prometheus that scrapes a watcher: the rules load and fire, and the dashboard's queries return data.

use crate::documents::{file, root};
use crate::harness::Request;
use hotcell_model::budget::Resource;
use hotcell_model::outcome::{Blame, Cause, Outcome, OutcomeKind};
use hotcell_model::report::{Alert, AlertKind, Compilation};
use hotcell_model::time::Timestamp;
use hotcell_watch::{AuditGauge, BudgetGauge, Gauges, Pool, PoolGauge, WatchSettings, Watcher};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long anything may take on a loaded machine before the test gives up.
const PATIENCE: Duration = Duration::from_secs(120);

/// The program, ended with the test.
struct Prometheus {
    child: Child,
    address: String,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Prometheus {
    /// Has it scrape that address each second, with the project's rules. `None` where there is no such program.
    fn start(base: &Path, target: &str) -> Option<Self> {
        let rules = root().join("packaging/prometheus/hotcell.rules.yml");
        let configuration = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [{rules:?}]\n\
             scrape_configs: [{{job_name: hotcell, static_configs: [{{targets: [{target:?}]}}]}}]\n"
        );
        let path = base.join("prometheus.yml");
        std::fs::write(&path, configuration).unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap().to_string();
        drop(free);
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", path.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                base.join("data").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let child = child.ok()?;
        Some(Self { child, address })
    }

    fn get(&self, path: &str) -> Option<Value> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        let request = format!("GET {path} HTTP/1.0\r\nhost: x\r\n\r\n");
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()
    }

    fn query(&self, query: &str) -> Vec<Value> {
        let encoded: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let answer = self.get(&format!("/api/v1/query?query={encoded}"));
        let result = answer.map(|answer| {
            assert_eq!(answer["status"], "success", "{query}: {answer}");
            answer["data"]["result"].as_array().cloned()
        });
        result.flatten().unwrap_or_default()
    }

    fn is_firing(&self, name: &str) -> bool {
        !self
            .query(&format!(
                "ALERTS{{alertname=\"{name}\",alertstate=\"firing\"}}"
            ))
            .is_empty()
    }
}

/// Waits until something is so.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Answers scrapes with what a watcher counted.
fn serve(watcher: Arc<Watcher>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let reader = BufReader::new(stream.try_clone().unwrap());
            let _ = reader.lines().map_while(Result::ok).find(String::is_empty);
            let body = watcher.render(&gauges());
            let head = format!(
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: {}\r\ncontent-length: {}\r\n\r\n",
                hotcell_watch::metrics::CONTENT_TYPE,
                body.len()
            );
            let _ = stream.write_all((head + &body).as_bytes());
        }
    });
    address
}

fn gauges() -> Gauges {
    Gauges {
        pools: vec![PoolGauge {
            pool: Pool::Runner,
            busy: 1,
            idle: 2,
        }],
        waiting: Some(0),
        connections: Some(1),
        budgets: vec![BudgetGauge {
            tenant: "alice".parse().unwrap(),
            resource: Resource::Fuel,
            left: 3,
            size: 5,
        }],
        audit: Some(AuditGauge {
            is_writable: true,
            unwritten: 0,
            open: 0,
            bytes: 4096,
            checkpoint: Some(Timestamp::from_seconds(1_795_000_000)),
        }),
    }
}

/// Honest work, and a little of what goes wrong every day.
fn work(watcher: &Watcher) {
    let compilation = Compilation {
        cpu_ns: 200_000_000,
        peak_memory_bytes: 60 << 20,
        processes: 2,
        code_bytes: 80 << 10,
        artifact_bytes: 160 << 10,
        ..Compilation::default()
    };
    let _ = Request::of("alice")
        .compiled(1, compilation, 210_000_000)
        .watch(watcher);
    let mut failed = Request::of("alice");
    let cause = Cause::PlacesTaken {
        kind: hotcell_model::budget::PlaceKind::Waiting,
        maximum: 1,
    };
    failed.report.outcome =
        Outcome::failed(OutcomeKind::Budget, Blame::Request, "x").with(vec![cause]);
    let _ = failed.watch(watcher);
}

#[test]
fn a_real_prometheus_scrapes_fires_and_answers_the_dashboard() {
    let settings = WatchSettings {
        tenants: vec!["alice".parse().unwrap()],
        ..WatchSettings::default()
    };
    let watcher = Arc::new(Watcher::new(settings).unwrap());
    let base = tempfile::tempdir().unwrap();
    let target = serve(Arc::clone(&watcher));
    let Some(prometheus) = Prometheus::start(base.path(), &target) else {
        let is_required =
            std::env::var_os("HOTCELL_REQUIRE_ALL_TESTS").is_some_and(|value| value == "1");
        assert!(!is_required, "no prometheus: install Debian's package");
        // Past the harness's capture.
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED: no prometheus: install Debian's package"
        );
        return;
    };
    let scraped = || !prometheus.query("hotcell_build_info").is_empty();
    until("it scrapes", scraped);
    // Twice, so that there is an increase.
    until("requests are counted", || {
        work(&watcher);
        !prometheus
            .query("sum(rate(hotcell_requests_total[1m])) > 0")
            .is_empty()
    });
    assert!(!prometheus.is_firing("HotcellCriticalAlert"));
    watcher.alert(&Alert {
        kind: AlertKind::FilterKill,
        message: "a filter killed a runner".into(),
    });
    until("the violation fires", || {
        prometheus.is_firing("HotcellCriticalAlert")
    });
    let up = prometheus.query("up{job=\"hotcell\"}");
    assert_eq!(up[0]["value"][1], "1");
    check_dashboard(&prometheus, &watcher);
}

fn check_dashboard(prometheus: &Prometheus, watcher: &Watcher) {
    let dashboard: Value = serde_json::from_str(&file("packaging/grafana/hotcell.json")).unwrap();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap() {
            let query = target["expr"].as_str().unwrap();
            // Shown only where something happened.
            let (query, _) = query.split_once(" > 0").unwrap_or((query, ""));
            let query = query
                .replace("$__rate_interval", "1m")
                .replace("$__range", "5m")
                .replace("$instance", ".*");
            until(&query, || {
                work(watcher);
                !prometheus.query(&query).is_empty()
            });
        }
    }
}
