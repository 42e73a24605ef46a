//! Launches through the daemon, against the same launches in the caller's own supervisor.

use crate::measure::{Contender, interleaved};
use crate::table::{self, ratio, time};
use anyhow::{Context, Result, ensure};
use hotcell::outcome::OutcomeKind;
use hotcell::{Array, ArrayType, Cell, Component, Digests, Request, Tier};
use hotcell_model::manifest::DType;
use hotcell_serve::client::Client;
use hotcell_serve::protocol::{LaunchAsk, Text};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Elements of a tiny launch, and of a large one.
const TINY: u64 = 1024;
const LARGE: u64 = 1 << 22;
/// Clients at once, and how many of them mean no good.
const CLIENTS: usize = 64;
const HOSTILE: usize = 16;

/// A daemon in directories of its own.
struct Daemon {
    process: Child,
    socket: PathBuf,
    _folder: tempfile::TempDir,
}

impl Daemon {
    fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let socket = folder.path().join("hotcell.sock");
        let process = Command::new(hotcell_cases::target().join("release/hotcell"))
            .args(["serve", "--tier", "insecure", "--socket"])
            .arg(&socket)
            .env("XDG_STATE_HOME", folder.path().join("state"))
            .env("XDG_CACHE_HOME", folder.path().join("cache"))
            .env("XDG_CONFIG_HOME", folder.path().join("config"))
            .spawn()
            .context("target/release/hotcell does not start")?;
        let daemon = Self {
            process,
            socket,
            _folder: folder,
        };
        let began = Instant::now();
        while Client::connect(&daemon.socket).is_err() {
            ensure!(
                began.elapsed() < Duration::from_secs(30),
                "the daemon does not answer"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(daemon)
    }

    fn client(&self) -> Result<Client> {
        Ok(Client::connect(&self.socket)?)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// saxpy's arguments, of so many elements, in memory that can be handed over.
fn arguments(elements: u64) -> Result<[(&'static str, Array); 2]> {
    let array = |value: f32| {
        let ty = ArrayType::new(DType::F32, [elements])?;
        let array = Array::shared(ty, |bytes| {
            for element in bytes.chunks_exact_mut(4) {
                element.copy_from_slice(&value.to_le_bytes());
            }
            Ok(())
        })?;
        anyhow::Ok(array)
    };
    Ok([("x", array(2.0)?), ("y", array(1.0)?)])
}

fn own(cell: &Cell, saxpy: &Component, arguments: &[(&str, Array)]) -> Result<Duration> {
    let mut request = Request::new().scalar("a", 2.5f32).digests(Digests::None);
    for (name, array) in arguments {
        request = request.input(*name, array.clone());
    }
    let began = Instant::now();
    let ended = cell.run(saxpy, request);
    let took = began.elapsed();
    ensure!(
        ended.outcome.kind == OutcomeKind::Done,
        "{}",
        ended.outcome.message
    );
    Ok(took)
}

fn through(client: &mut Client, ask: &LaunchAsk, arguments: &[(&str, Array)]) -> Result<Duration> {
    let inputs = arguments.iter().map(|(name, array)| (*name, array));
    let began = Instant::now();
    let (end, _results) = client.launch(ask.clone(), inputs, &())?;
    let took = began.elapsed();
    ensure!(
        end.outcome.kind == OutcomeKind::Done,
        "{}",
        end.outcome.message
    );
    Ok(took)
}

fn ask(client: &mut Client, saxpy: &Component) -> Result<LaunchAsk> {
    let mut ask = LaunchAsk::new(client.upload(saxpy)?.digest);
    ask.scalars = [("a".to_owned(), Text::of(2.5))].into();
    ask.digests = false;
    Ok(ask)
}

/// Launches back to back: the mean of some, after one that is not counted.
fn burst<'a>(launches: u32, mut launch: impl FnMut() -> Result<Duration> + 'a) -> Contender<'a> {
    Box::new(move || {
        launch()?;
        let mut all = Duration::ZERO;
        for _ in 0..launches {
            all += launch()?;
        }
        Ok(all / launches)
    })
}

/// Measures a tiny launch, a large one, and many clients at once.
pub(crate) fn measure(quick: bool) -> Result<Value> {
    let saxpy = Component::read(hotcell_cases::component("saxpy"))?;
    let daemon = Daemon::start()?;
    let workers = hotcell_cases::target().join("libexec/hotcell");
    let cell = Cell::confined()
        .workers(workers)
        .require_tier(Tier::Insecure)
        .build()?;
    let mut rows = Vec::new();
    let mut numbers = serde_json::Map::new();
    for (elements, launches, repetitions) in [(TINY, 16, 201), (LARGE, 2, 21)] {
        let arguments = arguments(elements)?;
        let (mut full, mut short) = (daemon.client()?, daemon.client()?);
        let with_report = ask(&mut full, &saxpy)?;
        let without = LaunchAsk {
            report: false,
            ..ask(&mut short, &saxpy)?
        };
        let mut contenders = [
            burst(launches, || own(&cell, &saxpy, &arguments)),
            burst(launches, || through(&mut full, &with_report, &arguments)),
            burst(launches, || through(&mut short, &without, &arguments)),
        ];
        let repetitions = if quick { 5 } else { repetitions };
        let medians = interleaved(&mut contenders, repetitions)?;
        drop(contenders);
        let labels = ["own supervisor", "daemon", "daemon, without the report"];
        for (label, median) in labels.iter().zip(&medians) {
            rows.push(vec![
                format!("{elements} elements, {label}"),
                time(*median),
                time((median - medians[0]).max(0.0)),
                ratio(median / medians[0]),
            ]);
        }
        let figures =
            json!({ "own": medians[0], "daemon": medians[1], "daemon_short": medians[2] });
        numbers.insert(elements.to_string(), figures);
    }
    table::print(
        "A warm launch of saxpy through the daemon, back to back",
        &["launch", "median", "more than its own", ": own"],
        &rows,
    );
    let calm = crowd(&daemon, &saxpy, 0, quick)?;
    let beset = crowd(&daemon, &saxpy, HOSTILE, quick)?;
    let rows = [("all honest", &calm), ("a quarter hostile", &beset)];
    let rows = rows.map(|(label, (p50, p99))| {
        vec![label.to_owned(), time(*p50), time(*p99), ratio(p99 / p50)]
    });
    table::print(
        "64 clients at once, saxpy of 1024 elements, honest clients' launches",
        &["clients", "p50", "p99", "p99 : p50"],
        &rows,
    );
    numbers.insert("calm".into(), json!({ "p50": calm.0, "p99": calm.1 }));
    numbers.insert("beset".into(), json!({ "p50": beset.0, "p99": beset.1 }));
    Ok(Value::Object(numbers))
}

/// Median and 99th percentile of the launches of honest clients, beside so many that are not.
fn crowd(daemon: &Daemon, saxpy: &Component, hostile: usize, quick: bool) -> Result<(f64, f64)> {
    let launches = if quick { 5 } else { 100 };
    let (times, done) = (Mutex::new(Vec::new()), AtomicBool::new(false));
    let arguments = arguments(TINY)?;
    let served = std::thread::scope(|scope| {
        let honest: Vec<_> = (hostile..CLIENTS)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = daemon.client()?;
                    let ask = ask(&mut client, saxpy)?;
                    let mut own = Vec::new();
                    for _ in 0..launches {
                        own.push(through(&mut client, &ask, &arguments)?.as_secs_f64());
                    }
                    times.lock().expect("nobody panics").extend(own);
                    anyhow::Ok(())
                })
            })
            .collect();
        for attacker in 0..hostile {
            let done = &done;
            scope.spawn(move || {
                for round in attacker.. {
                    if done.load(Ordering::Acquire) {
                        return;
                    }
                    attack(daemon, round);
                }
            });
        }
        let served: Vec<_> = honest.into_iter().map(|client| client.join()).collect();
        done.store(true, Ordering::Release);
        served
    });
    for client in served {
        client.map_err(|_| anyhow::anyhow!("a client panicked"))??;
    }
    let mut times = times.into_inner().context("nobody panics")?;
    times.sort_by(f64::total_cmp);
    let at = |percent: usize| {
        times
            .get(times.len() * percent / 100)
            .copied()
            .unwrap_or(0.0)
    };
    Ok((at(50), at(99)))
}

/// Garbage, half a line, a flood of questions, or a connection that says nothing and goes.
fn attack(daemon: &Daemon, round: usize) {
    let Ok(mut connection) = UnixStream::connect(&daemon.socket) else {
        return;
    };
    let _ = connection.set_read_timeout(Some(Duration::from_millis(100)));
    let _ = connection.set_write_timeout(Some(Duration::from_millis(100)));
    let _ = match round % 4 {
        0 => connection.write_all(&vec![b'{'; 70_000]),
        1 => connection.write_all(b"{\"id\":1,\"do\""),
        2 => connection.write_all(&b"{\"id\":1,\"do\":\"status\"}\n".repeat(200)),
        _ => connection.read_exact(&mut [0; 16]),
    };
}
