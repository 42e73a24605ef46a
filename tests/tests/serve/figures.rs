//! What the daemon shows at an address of this machine, and what it records.

use super::{ask, eventually, input, is_served};
use hotcell_serve::protocol::{LaunchAsk, Text};
use hotcell_tests::{Daemon, skip};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// An address that nobody has, for a moment.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

/// A daemon that shows figures, and where.
fn shown(more: &str) -> (Daemon, SocketAddr) {
    let address = free_address();
    let policy = format!(
        "schema = 1\ntier = \"unprivileged\"\n{more}\n[metrics]\nlisten = \"{address}\"\npage = true\n"
    );
    (Daemon::under(Some(&policy)), address)
}

/// Sends a request as it is, and reads the answer whole.
fn exchange(address: SocketAddr, request: &str) -> String {
    let mut socket = TcpStream::connect(address).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

fn get(address: SocketAddr, path: &str) -> String {
    exchange(
        address,
        &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n"),
    )
}

/// The value of a series, by its name and labels as they are written.
fn value(metrics: &str, series: &str) -> Option<f64> {
    let line = metrics.lines().find_map(|line| line.strip_prefix(series));
    line.and_then(|rest| rest.trim().parse().ok())
}

/// Launches a guest that does not end, which its fuel stops.
fn burn(daemon: &Daemon) {
    let mut client = daemon.client();
    let launch = LaunchAsk {
        limits: [("fuel".to_owned(), Text::of("1M"))].into(),
        ..ask(&mut client, "endless_loop")
    };
    let (end, _) = client.launch(launch, [("x", &input())], &()).unwrap();
    assert_eq!(
        end.outcome.kind.name(),
        "out-of-fuel",
        "{}",
        end.outcome.message
    );
}

#[test]
fn metrics_count_what_was_asked_for() {
    let (daemon, address) = shown("");
    let mut client = daemon.client();
    is_served(&mut client);
    burn(&daemon);
    let metrics = get(address, "/metrics");
    assert!(metrics.starts_with("HTTP/1.1 200 OK\r\n"), "{metrics}");
    let launches = |outcome: &str| {
        let of_outcome = format!("outcome=\"{outcome}\"");
        let lines = metrics.lines().filter(|line| {
            line.starts_with("hotcell_requests_total{")
                && line.contains("verb=\"launch\"")
                && line.contains(&of_outcome)
        });
        lines
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum::<f64>()
    };
    assert!(launches("done") >= 1.0, "{metrics}");
    assert!(launches("out-of-fuel") >= 1.0, "{metrics}");
    assert!(
        value(&metrics, "hotcell_connections ").unwrap() >= 1.0,
        "{metrics}"
    );
    assert_eq!(
        value(&metrics, "hotcell_audit_writable "),
        Some(1.0),
        "{metrics}"
    );
    daemon.stop().exits(0);
}

#[test]
fn only_what_reads_is_answered_and_only_by_this_machines_names() {
    let (daemon, address) = shown("");
    for (request, answer) in [
        ("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", "421 "),
        ("GET /metrics HTTP/1.1\r\n\r\n", "421 "),
        (
            "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n",
            "405 ",
        ),
        (
            "GET /../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
            "404 ",
        ),
        ("HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n", "200 "),
        ("GARBAGE\r\n\r\n", "400 "),
    ] {
        let answered = exchange(address, request);
        assert!(
            answered.starts_with(&format!("HTTP/1.1 {answer}")),
            "{request:?}: {answered}"
        );
    }
    // Those who say nothing hold nobody up, however many there are.
    let silent: Vec<TcpStream> = (0..20)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    assert!(get(address, "/").contains("<h1>hotcell</h1>"));
    drop(silent);
    is_served(&mut daemon.client());
    daemon.stop().exits(0);
}

#[test]
fn a_daemon_shows_no_page_that_its_policy_does_not_have() {
    let address = free_address();
    let daemon = Daemon::under(Some(&format!(
        "schema = 1\ntier = \"unprivileged\"\n[metrics]\nlisten = \"{address}\"\n"
    )));
    assert!(get(address, "/").starts_with("HTTP/1.1 404"));
    assert!(get(address, "/metrics").starts_with("HTTP/1.1 200"));
    // Another one cannot have the address, and says so.
    let place = &daemon.place;
    let second = place.run("serve --tier unprivileged --socket second.sock");
    second
        .exits(3)
        .says(&[&format!("cannot show metrics at {address}")]);
    daemon.stop().exits(0);
}

#[test]
fn names_are_text_on_the_page_and_nothing_runs_there() {
    let (daemon, address) = shown("");
    let mut client = daemon.client();
    let launch = LaunchAsk {
        entry: Some("<script>alert(1)</script>".to_owned()),
        ..ask(&mut client, "honest")
    };
    let (end, _) = client.launch(launch, [("x", &input())], &()).unwrap();
    assert_eq!(end.outcome.kind.name(), "usage", "{}", end.outcome.message);
    let page = get(address, "/");
    assert!(page.contains("&lt;script&gt;alert(1)"), "{page}");
    assert!(!page.contains("<script"), "{page}");
    let policy = "content-security-policy: default-src 'none'; style-src 'self';";
    assert!(page.contains(policy), "{page}");
    daemon.stop().exits(0);
}

#[test]
fn a_browser_shows_a_violation() {
    let Some(browser) = ["chromium", "chromium-browser"].into_iter().find(|name| {
        let found = Command::new(name)
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        found.is_ok_and(|status| status.success())
    }) else {
        skip("there is no Chromium");
        return;
    };
    let (daemon, address) = shown("");
    is_served(&mut daemon.client());
    burn(&daemon);
    // A file in the cache that is not what the daemon wrote there: critical at once.
    forge_artifacts(&daemon);
    let policy_of_page = format!("http://{address}/");
    let mut dom = String::new();
    eventually("the page shows the alert", || {
        let profile = tempfile::tempdir().unwrap();
        let shown = Command::new(browser)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
                "--disable-background-networking",
            ])
            .args([
                "--disable-component-update",
                "--disable-sync",
                "--disable-quic",
                "--virtual-time-budget=2000",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("--dump-dom")
            .arg(&policy_of_page)
            .stderr(Stdio::null())
            .output()
            .unwrap();
        dom = String::from_utf8_lossy(&shown.stdout).into_owned();
        dom.contains("signature-mismatch")
    });
    assert!(dom.contains("class=\"critical\""), "{dom}");
    assert!(
        dom.contains("out-of-fuel") && dom.contains("guest"),
        "{dom}"
    );
    assert!(dom.contains("<svg") && dom.contains("<circle"), "{dom}");
    daemon.stop().exits(0);
}

#[test]
fn a_daemon_that_is_killed_leaves_a_log_that_is_whole() {
    let mut daemon = Daemon::start();
    for round in 0..6_u64 {
        is_served(&mut daemon.client());
        let done = Arc::new(AtomicU64::new(0));
        let asking: Vec<_> = (0..3)
            .map(|_| {
                let (mut client, done) = (daemon.client(), Arc::clone(&done));
                std::thread::spawn(move || {
                    let launch = ask(&mut client, "honest");
                    while client
                        .launch(launch.clone(), [("x", &input())], &())
                        .is_ok()
                    {
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        eventually("one is done", || done.load(Ordering::Relaxed) > 0);
        // Somewhere between two launches, or in the middle of one.
        std::thread::sleep(Duration::from_millis(40 + 37 * round));
        daemon.signal("KILL");
        for asking in asking {
            asking.join().unwrap();
        }
        daemon = daemon.again();
        let verified = daemon.place.run("audit verify --json").exits(1).stdout;
        let verified: serde_json::Value = serde_json::from_str(&verified).unwrap();
        assert_eq!(verified["standing"], "tail-unproven", "{verified}");
    }
    daemon.stop().exits(0);
}

/// Changes every artifact that the daemon has on disk, and has it look for one again.
fn forge_artifacts(daemon: &Daemon) {
    let folder = daemon.place.cache().join("artifacts");
    let mut forged = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|suffix| suffix == "artifact") {
            let mut bytes = std::fs::read(&path).unwrap();
            let last = bytes.last_mut().unwrap();
            *last ^= 1;
            std::fs::write(&path, bytes).unwrap();
            forged += 1;
        }
    }
    assert!(forged > 0);
    // Another grant is another key in memory, for which the disk is asked again.
    let mut client = daemon.client();
    let launch = LaunchAsk {
        wants: Some(Vec::new()),
        ..ask(&mut client, "honest")
    };
    let (end, _) = client.launch(launch, [("x", &input())], &()).unwrap();
    assert_eq!(end.outcome.kind.name(), "done", "{}", end.outcome.message);
}
