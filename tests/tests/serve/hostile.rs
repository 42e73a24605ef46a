//! Clients that mean no good, and those beside them.

use super::{ask, ask_for, eventually, held, input, is_served};
use hotcell::{Array, ArrayType};
use hotcell_manifest::DType;
use hotcell_serve::protocol::{LaunchAsk, Text};
use hotcell_tests::Daemon;
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use std::io::{BufRead, BufReader, IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Sends a line as it is; what is answered after the greeting.
fn answers(daemon: &Daemon, line: &[u8]) -> Vec<String> {
    let mut connection = daemon.connection();
    // It may have closed already, having read enough.
    let _ = connection.write_all(line);
    connection.shutdown(std::net::Shutdown::Write).unwrap();
    let mut text = String::new();
    // A connection that is closed with something unread is reset.
    let _ = connection.read_to_string(&mut text);
    text.lines().skip(1).map(str::to_owned).collect()
}

fn send_with(connection: &UnixStream, line: &[u8], descriptors: &[BorrowedFd<'_>]) {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(253))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    assert!(ancillary.push(SendAncillaryMessage::ScmRights(descriptors)));
    // The daemon may have closed it.
    let _ = sendmsg(
        connection,
        &[IoSlice::new(line)],
        &mut ancillary,
        SendFlags::NOSIGNAL,
    );
}

/// A line to a connection of its own, with descriptors; the first answer after the greeting.
fn answer_to(daemon: &Daemon, line: &str, descriptors: &[OwnedFd]) -> String {
    let connection = daemon.connection();
    let fds: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
    send_with(&connection, format!("{line}\n").as_bytes(), &fds);
    let mut lines = BufReader::new(connection).lines();
    lines.next().unwrap().unwrap();
    lines.next().unwrap().unwrap()
}

fn unsealed(len: u64) -> OwnedFd {
    let memory = memfd_create(c"x", MemfdFlags::ALLOW_SEALING | MemfdFlags::CLOEXEC).unwrap();
    ftruncate(&memory, len).unwrap();
    memory
}

#[test]
fn what_is_no_message_is_told_what_is_wrong_and_the_connection_ends() {
    let daemon = Daemon::start();
    for (line, says) in [
        (&b"garbage\n"[..], "no message: expected value"),
        (b"\xff\xfe\n", "no message"),
        (b"{}\n", "missing field `id`"),
        (b"{\"id\":1,\"do\":\"lunch\"}\n", "unknown variant `lunch`"),
        (
            b"{\"id\":1,\"do\":\"list\",\"more\":1}\n",
            "unknown field `more`",
        ),
        (b"{\"id\":-1,\"do\":\"list\"}\n", "invalid value"),
        (
            b"{\"id\":1,\"do\":{\"launch\":{\"component\":\"00\"}}}\n",
            "64 hexadecimal digits",
        ),
        (
            b"{\"id\":1,\"do\":{\"cancel\":{\"launch\":\"x\"}}}\n",
            "32 hexadecimal digits",
        ),
        (
            b"{\"id\":1,\"do\":{\"upload\":{\"memory\":4000000000,\"bytes\":1}}}\n",
            "up to 252",
        ),
        (
            b"{\"id\":1,\"do\":{\"upload\":{\"memory\":18446744073709551615,\"bytes\":1}}}\n",
            "up to 252",
        ),
    ] {
        let answers = answers(&daemon, line);
        assert_eq!(answers.len(), 1, "{answers:?}");
        assert!(
            answers[0].contains(says),
            "`{says}` is not in: {}",
            answers[0]
        );
    }
    let deep = [b"{\"id\":1,\"do\":".as_slice(), &vec![b'['; 60_000], b"\n"].concat();
    assert!(answers(&daemon, &deep)[0].contains("error"));
    let long = vec![b'x'; 100_000];
    assert!(answers(&daemon, &long)[0].contains("longer than 65536 bytes"));
    // Half a line, and nothing after it: nothing to answer.
    assert_eq!(answers(&daemon, b"{\"id\":1,"), [""; 0]);
    // What was right before is answered; empty lines are nothing.
    let both = answers(
        &daemon,
        b"\n\n{\"id\":7,\"do\":\"list\"}\nnonsense\n{\"id\":8,\"do\":\"list\"}\n",
    );
    assert_eq!(both.len(), 2, "{both:?}");
    assert!(both[0].contains("\"id\":7") && both[1].contains("no message"));
    is_served(&mut daemon.client());
    daemon.stop().exits(0);
}

#[test]
fn memory_that_is_none_is_refused_and_does_no_harm() {
    let daemon = Daemon::start();
    let honest = ask(&mut daemon.client(), "honest").component;
    let upload = |bytes: u64| {
        format!("{{\"id\":1,\"do\":{{\"upload\":{{\"memory\":0,\"bytes\":{bytes}}}}}}}")
    };
    let launch = |shape: u64| {
        format!(
            "{{\"id\":1,\"do\":{{\"launch\":{{\"component\":\"{honest}\",\"inputs\":\
             {{\"x\":{{\"dtype\":\"u8\",\"shape\":[{shape}],\"memory\":0}}}}}}}}}}"
        )
    };
    let sealed = |len: usize| {
        let bytes = vec![0; len];
        hotcell_sandbox::memory::SealedMemory::copy_of(&bytes)
            .unwrap()
            .into_fd()
    };
    let file = || OwnedFd::from(tempfile::tempfile().unwrap());
    let device = || OwnedFd::from(std::fs::File::open("/dev/zero").unwrap());
    for (line, descriptor, says) in [
        (upload(100), Some(unsealed(100)), "no sealed memory"),
        (upload(100), Some(file()), "no sealed memory"),
        (upload(100), Some(device()), "no sealed memory"),
        (upload(100), None, "there is no descriptor 0"),
        (
            upload(1 << 40),
            Some(sealed(100)),
            "the ceiling for components",
        ),
        (
            upload(101),
            Some(sealed(100)),
            "has 100 bytes, and 101 were said",
        ),
        (upload(100), Some(sealed(100)), "invalid-component"),
        (launch(4096), Some(unsealed(4096)), "no sealed memory"),
        (launch(1 << 20), Some(unsealed(1 << 20)), "no sealed memory"),
        (launch(4096), None, "there is no descriptor 0"),
        (
            launch(4097),
            Some(sealed(4096)),
            "has 4096 bytes, and 4097 were said",
        ),
        (launch(u64::MAX), Some(sealed(4096)), "has 4096 bytes"),
    ] {
        let answer = answer_to(&daemon, &line, descriptor.as_slice());
        assert!(
            answer.contains(says),
            "{line}: `{says}` is not in: {answer}"
        );
    }
    // Descriptors that no line names, as many as there may be, again and again.
    let before = held(&daemon).0;
    for _ in 0..8 {
        let connection = daemon.connection();
        let memory = unsealed(1);
        for _ in 0..4 {
            send_with(
                &connection,
                b"{\"id\":1,\"do\":\"list\"}\n",
                &[memory.as_fd(); 253],
            );
        }
    }
    eventually("they are closed", || held(&daemon).0 <= before);
    is_served(&mut daemon.client());
    daemon.stop().exits(0);
}

#[test]
fn a_client_that_says_no_more_hears_all_ends_that_are_due_to_it() {
    let daemon = Daemon::start();
    let honest = ask(&mut daemon.client(), "honest").component;
    let memory = hotcell_sandbox::memory::SealedMemory::copy_of(&[7; 4096]).unwrap();
    let line = |id: u64| {
        format!(
            "{{\"id\":{id},\"do\":{{\"launch\":{{\"component\":\"{honest}\",\"inputs\":\
             {{\"x\":{{\"dtype\":\"u8\",\"shape\":[4096],\"memory\":0}}}}}}}}}}\n"
        )
    };
    let connection = daemon.connection();
    for id in 0..20 {
        send_with(&connection, line(id).as_bytes(), &[memory.as_fd()]);
    }
    connection.shutdown(std::net::Shutdown::Write).unwrap();
    let lines = BufReader::new(connection).lines().skip(1);
    let ended: Vec<String> = lines.map(Result::unwrap).collect();
    assert_eq!(ended.len(), 20, "{ended:?}");
    assert!(ended.iter().all(|end| end.contains("\"kind\":\"done\"")));
    daemon.stop().exits(0);
}

#[test]
fn the_slow_and_the_silent_hold_nothing_that_others_need() {
    let daemon = Daemon::start();
    is_served(&mut daemon.client());
    let before = held(&daemon);
    let silent: Vec<_> = (0..32).map(|_| daemon.connection()).collect();
    let halves: Vec<_> = (0..32)
        .map(|_| {
            let mut connection = daemon.connection();
            connection.write_all(b"{\"id\":1,").unwrap();
            connection
        })
        .collect();
    // They have no thread.
    eventually("they are watched", || held(&daemon).1 <= before.1);
    is_served(&mut daemon.client());
    // Half a line is given up after a while, silence is not.
    let begin = Instant::now();
    for mut half in halves {
        let mut text = String::new();
        half.read_to_string(&mut text).unwrap();
        assert!(text.contains("within 5 s"), "{text}");
    }
    assert!(begin.elapsed() < Duration::from_secs(20));
    for mut connection in silent {
        connection
            .write_all(b"{\"id\":9,\"do\":\"list\"}\n")
            .unwrap();
        let mut lines = BufReader::new(connection).lines();
        assert!(lines.nth(1).unwrap().unwrap().contains("\"id\":9"));
    }
    eventually("nothing of them is left", || {
        let now = held(&daemon);
        now.0 <= before.0 && now.1 <= before.1
    });
    daemon.stop().exits(0);
}

#[test]
fn one_that_reads_no_answers_is_given_up_and_others_are_served() {
    let daemon = Daemon::start();
    let mut deaf = daemon.connection();
    deaf.set_write_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    let line = b"{\"id\":1,\"do\":\"status\"}\n".repeat(256);
    let begin = Instant::now();
    while deaf.write_all(&line).is_ok() || begin.elapsed() < Duration::from_secs(1) {
        is_served(&mut daemon.client());
    }
    eventually("it is given up", || {
        is_served(&mut daemon.client());
        matches!(deaf.write(b"\n"), Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe)
    });
    daemon.stop().exits(0);
}

#[test]
fn more_launches_than_a_connection_may_have_are_refused() {
    let daemon = Daemon::start();
    let mut client = daemon.client();
    let endless = LaunchAsk {
        metering: Some("fast".parse().unwrap()),
        limits: [("timeout_ns".to_owned(), Text::of("60s"))].into(),
        ..ask(&mut client, "endless_loop")
    };
    let digest = endless.component;
    let connection = daemon.connection();
    let x = input();
    let memory = hotcell_sandbox::memory::SealedMemory::copy_of(x.bytes().unwrap()).unwrap();
    let line = |id: u64| {
        format!(
            "{{\"id\":{id},\"do\":{{\"launch\":{{\"component\":\"{digest}\",\"metering\":\"fast\",\
             \"limits\":{{\"timeout_ns\":\"60s\"}},\
             \"inputs\":{{\"x\":{{\"dtype\":\"u8\",\"shape\":[4096],\"memory\":0}}}}}}}}}}\n"
        )
    };
    for id in (1..=65).chain([1]) {
        send_with(&connection, line(id).as_bytes(), &[memory.as_fd()]);
    }
    let mut lines = BufReader::new(connection.try_clone().unwrap()).lines();
    let mut refused = [lines.nth(1), lines.next()].map(|line| line.unwrap().unwrap());
    refused.sort();
    assert!(
        refused[0].contains("\"id\":1,") && refused[0].contains("has not ended"),
        "{refused:?}"
    );
    assert!(
        refused[1].contains("\"id\":65") && refused[1].contains("64 launches"),
        "{refused:?}"
    );
    assert_eq!(client.list().unwrap().len(), 64);
    drop((lines, connection));
    eventually("they are cancelled", || client.list().unwrap().is_empty());
    is_served(&mut client);
    daemon.stop().exits(0);
}

/// One thing after another that no honest client does.
fn attack(daemon: &Daemon, round: usize) {
    let Ok(mut connection) = UnixStream::connect(daemon.socket()) else {
        return;
    };
    let _ = connection.set_read_timeout(Some(Duration::from_secs(5)));
    let _ = connection.set_write_timeout(Some(Duration::from_millis(200)));
    match round % 6 {
        0 => drop(connection.write_all(&vec![b'{'; 70_000])),
        1 => drop(connection.write_all(b"{\"id\":1,\"do\"")),
        2 => {
            let memory = unsealed(1 << 30);
            let line = b"{\"id\":1,\"do\":{\"upload\":{\"memory\":0,\"bytes\":1000}}}\n";
            send_with(&connection, line, &[memory.as_fd(); 100]);
        }
        3 => drop(connection.write_all(&b"{\"id\":1,\"do\":\"status\"}\n".repeat(200))),
        4 => {
            let mut client = daemon.client();
            let launch = ask(&mut client, "endless_loop");
            let x = input();
            let memory =
                hotcell_sandbox::memory::SealedMemory::copy_of(x.bytes().unwrap()).unwrap();
            let line = format!(
                "{{\"id\":1,\"do\":{{\"launch\":{{\"component\":\"{}\",\"metering\":\"fast\",\
                 \"inputs\":{{\"x\":{{\"dtype\":\"u8\",\"shape\":[4096],\"memory\":0}}}}}}}}}}\n",
                launch.component
            );
            send_with(&connection, line.as_bytes(), &[memory.as_fd()]);
            std::thread::sleep(Duration::from_millis(5));
        }
        _ => drop(connection.read(&mut [0])),
    }
}

#[test]
fn honest_clients_get_right_results_beside_hostile_ones_and_nothing_is_left_behind() {
    const HONEST: usize = 12;
    const HOSTILE: usize = 4;
    const LAUNCHES: usize = 40;
    let daemon = Daemon::start();
    is_served(&mut daemon.client());
    let before = held(&daemon);
    let (left, done) = (AtomicUsize::new(HONEST), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for seed in 0..HONEST {
            let (daemon, left, done) = (&daemon, &left, &done);
            scope.spawn(move || {
                let mut client = daemon.client();
                let launch = ask(&mut client, "honest");
                for turn in 0..LAUNCHES {
                    // Small ones in the frame, and large ones beside it.
                    let len = [16, 4096, 300_000][turn % 3];
                    let byte = u8::try_from((seed * 37 + turn) % 251).unwrap();
                    let x = Array::from_slice(&vec![byte; len], [len as u64]).unwrap();
                    let (end, results) = client.launch(launch.clone(), [("x", &x)], &()).unwrap();
                    assert_eq!(end.outcome.kind.name(), "done", "{}", end.outcome.message);
                    assert_eq!(results[0].array.bytes(), x.bytes());
                }
                if left.fetch_sub(1, Ordering::AcqRel) == 1 {
                    done.store(true, Ordering::Release);
                }
            });
        }
        for attacker in 0..HOSTILE {
            let (daemon, done) = (&daemon, &done);
            scope.spawn(move || {
                for round in attacker.. {
                    if done.load(Ordering::Acquire) {
                        break;
                    }
                    attack(daemon, round);
                }
            });
        }
    });
    let mut client = daemon.client();
    eventually("all launches have ended", || {
        client.list().unwrap().is_empty()
    });
    drop(client);
    eventually("nothing is left behind", || {
        let now = held(&daemon);
        // Runners and artifacts are kept for a while: as many as there may be.
        now.1 <= before.1 + 2 && now.0 <= before.0 + 64
    });
    let said = daemon.stop().exits(0).stderr;
    assert!(!said.contains("panicked"), "{said}");
}

/// Memory that a process has for itself, in KiB.
fn own_memory_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("RssAnon:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn thousands_of_launches_leave_nothing_behind() {
    let count: usize = match std::env::var("HOTCELL_DAEMON_LAUNCHES") {
        Ok(count) => count.parse().expect("a number of launches"),
        Err(_) => 1000,
    };
    let daemon = Daemon::start();
    let launch = |from: usize, to: usize| {
        let mut client = daemon.client();
        let launch = ask(&mut client, "honest");
        for turn in from..to {
            if turn % 50 == 0 {
                client = daemon.client();
            }
            let len = [64, 100_000][turn % 2];
            let ty = ArrayType::new(DType::U8, [len]).unwrap();
            let byte = u8::try_from(turn % 251).unwrap();
            let fill = |bytes: &mut [u8]| {
                bytes.fill(byte);
                Ok(())
            };
            let x = Array::shared(ty, fill).unwrap();
            let (end, results) = client.launch(launch.clone(), [("x", &x)], &()).unwrap();
            assert_eq!(end.outcome.kind.name(), "done", "{}", end.outcome.message);
            assert_eq!(results[0].array.bytes(), x.bytes());
        }
    };
    launch(0, 300);
    let (before, memory) = (held(&daemon), own_memory_kib(daemon.id()));
    launch(300, count.max(600));
    let now = held(&daemon);
    assert!(
        now.0 <= before.0 + 8 && now.1 <= before.1 + 2,
        "{before:?} {now:?}"
    );
    let grown = own_memory_kib(daemon.id()).saturating_sub(memory);
    assert!(grown < 8 << 10, "{grown} KiB more");
    daemon.stop().exits(0);
}

#[test]
fn what_floods_for_one_tenant_costs_another_its_share_at_most() {
    use hotcell_tests::daemon::client_of;
    if !rustix::process::geteuid().is_root() {
        return hotcell_tests::skip("only root can connect as somebody else");
    }
    let policy = "schema = 1\ntier = \"unprivileged\"\n\
        [tenants.flood]\nsubjects = [\"uid:54001\"]\n[tenants.calm]\nsubjects = [\"uid:54002\"]\n";
    let daemon = Daemon::under(Some(policy));
    let done = AtomicBool::new(false);
    let component = hotcell_tests::Guest::named("endless_loop").component();
    std::thread::scope(|scope| {
        for _ in 0..24 {
            let (daemon, done, component) = (&daemon, &done, &component);
            scope.spawn(move || {
                let mut client = client_of(&daemon.socket(), 54_001).unwrap();
                let mut launch = ask_for(&mut client, component);
                launch.metering = Some("fast".parse().unwrap());
                launch.limits = [("timeout_ns".to_owned(), Text::of("100ms"))].into();
                while !done.load(Ordering::Acquire) {
                    let ended = client.launch(launch.clone(), [("x", &input())], &());
                    assert_eq!(ended.unwrap().0.outcome.kind.name(), "timeout");
                }
            });
        }
        let mut calm = client_of(&daemon.socket(), 54_002).unwrap();
        let mut operator = daemon.client();
        eventually("the flood waits for runners", || {
            let status = operator.status().unwrap();
            status
                .pools
                .iter()
                .any(|pool| pool.name == "runners" && pool.waiting > 8)
        });
        let x = input();
        let launch = ask(&mut calm, "honest");
        let mut slowest = Duration::ZERO;
        for _ in 0..10 {
            let begin = Instant::now();
            let (end, _) = calm.launch(launch.clone(), [("x", &x)], &()).unwrap();
            assert_eq!(end.outcome.kind.name(), "done", "{}", end.outcome.message);
            slowest = slowest.max(begin.elapsed());
        }
        done.store(true, Ordering::Release);
        // Before its turn comes one launch of the flood that runs, not the two dozen that wait: those would be more than half a
        // second.
        assert!(slowest < Duration::from_secs(5), "{slowest:?}");
    });
    daemon.stop().exits(0);
}
