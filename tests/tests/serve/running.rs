//! How a daemon begins, is told, and ends.

use super::{ask, eventually, input, is_served};
use hotcell_serve::client::Client;
use hotcell_serve::protocol::{LaunchAsk, LaunchEnd};
use hotcell_tests::{Command, Daemon, Running, skip};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::thread::JoinHandle;
use std::time::Duration;

/// A launch that does not end by itself, once it runs.
fn endless(daemon: &Daemon) -> JoinHandle<LaunchEnd> {
    let mut client = daemon.client();
    let launch = LaunchAsk {
        metering: Some("fast".parse().unwrap()),
        ..ask(&mut client, "endless_loop")
    };
    let launched =
        std::thread::spawn(move || client.launch(launch, [("x", &input())], &()).unwrap().0);
    let mut other = daemon.client();
    eventually("the launch runs", || {
        other
            .list()
            .unwrap()
            .iter()
            .any(|state| format!("{:?}", state.stage) == "Permitted")
    });
    launched
}

#[test]
fn a_client_that_goes_takes_its_launches_along() {
    let daemon = Daemon::start();
    let mut other = daemon.client();
    let place = &daemon.place;
    place.guest("endless_loop", &hotcell_tests::Guest::named("endless_loop"));
    place.write("x.npy", hotcell_tests::npy("|u1", &[4096], &[7; 4096]));
    let socket = daemon.socket();
    let line = format!(
        "run --connect={} endless_loop.wasm --in x=@x.npy --metering fast --timeout 10m",
        socket.display()
    );
    let dies = place.start(&line);
    eventually("it is listed", || other.list().unwrap().len() == 1);
    dies.signal("KILL");
    eventually("it is cancelled", || other.list().unwrap().is_empty());
    let _ = dies.wait();
    // An interrupt is told, and the end is heard.
    let interrupted = place.start(&line);
    eventually("it is permitted", || {
        other
            .list()
            .unwrap()
            .iter()
            .any(|state| format!("{:?}", state.stage) == "Permitted")
    });
    interrupted.signal("INT");
    interrupted.wait().exits(18).says(&["cancelled"]);
    is_served(&mut other);
    daemon.stop().exits(0);
}

#[test]
fn a_stop_lets_launches_end_and_then_cancels_them() {
    let daemon = Daemon::with(None, "--drain 2s");
    let launched = endless(&daemon);
    let mut late = daemon.client();
    let launch = ask(&mut late, "honest");
    let socket = daemon.socket();
    let ended = std::thread::spawn(move || daemon.stop());
    // Whoever is connected is told to come back, whoever is not is refused.
    let mut refused = None;
    eventually("nothing new is begun", || {
        match late.launch(launch.clone(), [("x", &input())], &()) {
            Ok(_) => false,
            Err(error) => {
                refused = Some(error.to_string());
                true
            }
        }
    });
    assert!(refused.unwrap().contains("about to stop"));
    assert_eq!(launched.join().unwrap().outcome.kind.name(), "cancelled");
    let ended = ended.join().unwrap().exits(0);
    assert!(ended.stderr.contains("serving at"), "{}", ended.stderr);
    assert!(!socket.exists());
}

#[test]
fn while_a_daemon_ends_its_clients_are_heard() {
    let daemon = Daemon::with(None, "--drain 60s");
    let launched = endless(&daemon);
    let mut other = daemon.client();
    let running = other.list().unwrap().remove(0);
    daemon.signal("TERM");
    let socket = daemon.socket();
    eventually("nobody is taken in any more", || !socket.exists());
    // Without this the launch would go on for a minute.
    other.cancel(running.launch).unwrap();
    assert_eq!(launched.join().unwrap().outcome.kind.name(), "cancelled");
    daemon.wait().exits(0);
}

#[test]
fn a_policy_is_read_again_and_a_wrong_one_changes_nothing() {
    let policy = |denied: &str| format!("schema = 1\ntier = \"unprivileged\"\n{denied}");
    let daemon = Daemon::under(Some(&policy("")));
    let mut client = daemon.client();
    is_served(&mut client);
    let outcome = |client: &mut Client| {
        let launch = ask(client, "honest");
        client
            .launch(launch, [("x", &input())], &())
            .unwrap()
            .0
            .outcome
    };
    daemon.place.own_policy(&policy(
        "[[kernels]]\nname = \"*\"\ndeny = \"under review\"\n",
    ));
    daemon.signal("HUP");
    eventually("it is denied", || {
        outcome(&mut client).message.contains("under review")
    });
    for wrong in [
        "schema = 1\nnonsense = 1\n",
        "schema = 1\ntier = \"insecure\"\n",
    ] {
        daemon.place.own_policy(wrong);
        daemon.signal("HUP");
        std::thread::sleep(Duration::from_millis(100));
        assert!(outcome(&mut client).message.contains("under review"));
    }
    daemon.place.own_policy(&policy(""));
    daemon.signal("HUP");
    eventually("it is served again", || {
        outcome(&mut client).kind.name() == "done"
    });
    let said = daemon.stop().exits(0).stderr;
    for part in [
        "stays as it was",
        "`nonsense`",
        "tier = insecure",
        "restart it",
        "from now on under",
    ] {
        assert!(said.contains(part), "`{part}` is not in: {said}");
    }
}

#[test]
fn a_socket_is_nobody_elses_and_a_dead_daemons_is_taken_over() {
    let daemon = Daemon::with(None, "--mode 0600");
    let socket = daemon.socket();
    assert_eq!(socket.metadata().unwrap().mode() & 0o777, 0o600);
    let second = |place: &Command| {
        let line = format!("serve --tier unprivileged --socket {}", socket.display());
        place.run(&line)
    };
    second(&daemon.place)
        .exits(3)
        .says(&["serves at", "already"]);
    daemon.signal("KILL");
    daemon.wait();
    let file = Command::new();
    file.write("file", "precious");
    file.run("serve --tier unprivileged --socket file")
        .exits(3)
        .says(&["no socket"]);
    assert_eq!(std::fs::read(file.path("file")).unwrap(), b"precious");
    // The folder went with the daemon's; a socket that nobody serves any more is another's to have.
    let left = file.path("left.sock");
    drop(std::os::unix::net::UnixListener::bind(&left).unwrap());
    let running = file.start("serve --tier unprivileged --socket left.sock");
    eventually("it serves", || Client::connect(&left).is_ok());
    running.signal("INT");
    running.wait().exits(0);
    assert!(!left.exists());
    file.run("serve --socket s --mode 999").exits(2);
    file.run("serve --policy none.toml --socket s")
        .exits(3)
        .says(&["none.toml"]);
}

/// Starts a program under Python, which opens a socket for it as systemd does.
fn activated(
    place: &Command,
    socket: &std::path::Path,
    notify: &std::path::Path,
) -> Option<Running> {
    let program = format!(
        "import os, socket\n\
         s = socket.socket(socket.AF_UNIX); s.bind({socket:?}); s.listen()\n\
         os.dup2(s.fileno(), 3) if s.fileno() != 3 else None\n\
         os.set_inheritable(3, True)\n\
         os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()), NOTIFY_SOCKET={notify:?})\n\
         os.execv({binary:?}, ['hotcell', 'serve', '--tier', 'unprivileged'])\n",
        socket = socket.display().to_string(),
        notify = notify.display().to_string(),
        binary = hotcell_tests::binary().unwrap().display().to_string(),
    );
    place.write("activate.py", program);
    place.start_program("python3", "activate.py")
}

#[test]
fn systemd_opens_the_socket_and_hears_when_it_is_served() {
    let place = Command::new();
    let (socket, notify) = (place.path("s.sock"), place.path("n.sock"));
    let heard = UnixDatagram::bind(&notify).unwrap();
    heard
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let Some(running) = activated(&place, &socket, &notify) else {
        return skip("no python3");
    };
    let state = || {
        let mut bytes = [0; 256];
        let len = heard.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..len]).into_owned()
    };
    assert_eq!(state().trim(), "READY=1");
    is_served(&mut Client::connect(&socket).unwrap());
    running.signal("HUP");
    assert!(state().starts_with("RELOADING=1\nMONOTONIC_USEC="));
    assert_eq!(state().trim(), "READY=1");
    running.signal("TERM");
    assert_eq!(state().trim(), "STOPPING=1");
    running.wait().exits(0);
    // It is systemd's, and stays.
    assert!(socket.exists());
}
