//! Tenants: who is who, and what each sees of the others.

use super::{ask, input, is_served};
use hotcell::Caller;
use hotcell_serve::client::{Client, ClientError};
use hotcell_serve::protocol::LaunchAsk;
use hotcell_tests::daemon::{as_user, client_of};
use hotcell_tests::{Command, Daemon, Guest, npy, read_npy, skip};
use std::time::Duration;

const ALICE: u32 = 54_001;
const BOB: u32 = 54_002;
const MALLORY: u32 = 54_003;

/// Alice and Bob are tenants.
const TWO: &str = "schema = 1\ntier = \"unprivileged\"\n\
    [tenants.alice]\nsubjects = [\"uid:54001\"]\n[tenants.bob]\nsubjects = [\"uid:54002\"]\n";

/// A daemon under that policy and a client of each user; `None`, said aloud, where this user can be nobody else.
fn with_users<const N: usize>(policy: &str, users: [u32; N]) -> Option<(Daemon, [Client; N])> {
    if !rustix::process::geteuid().is_root() {
        skip("only root can connect as somebody else");
        return None;
    }
    let daemon = Daemon::under(Some(policy));
    let clients = users.map(|uid| client_of(&daemon.socket(), uid).expect("root can be anybody"));
    Some((daemon, clients))
}

fn refusal<T: std::fmt::Debug>(result: Result<T, ClientError>) -> (String, String) {
    match result.expect_err("it is refused") {
        ClientError::Refused { kind, message } => (kind.name().to_owned(), message),
        error => panic!("{error}"),
    }
}

#[test]
fn users_are_the_tenants_that_the_policy_says_and_others_are_refused() {
    let Some((daemon, [mut alice, mut bob, mut mallory])) = with_users(TWO, [ALICE, BOB, MALLORY])
    else {
        return;
    };
    for (client, uid, tenant) in [(&mut alice, ALICE, "alice"), (&mut bob, BOB, "bob")] {
        let greeting = client.greeting();
        assert_eq!(greeting.caller, Caller::Uid(uid));
        assert_eq!(greeting.tenant.as_ref().unwrap().as_str(), tenant);
        assert!(!greeting.operator);
        let launch = ask(client, "honest");
        let (end, _) = client.launch(launch, [("x", &input())], &()).unwrap();
        let report = end.report.unwrap().read().unwrap();
        assert_eq!(report.tenant.as_str(), tenant);
        assert_eq!(report.caller, Caller::Uid(uid));
        assert_eq!(report.run_id, end.launch);
    }
    assert_eq!(mallory.greeting().tenant, None);
    let honest = Guest::named("honest").component();
    let launch = LaunchAsk::new(honest.digest());
    for refused in [
        refusal(mallory.upload(&honest)),
        refusal(mallory.launch(launch, [("x", &input())], &())),
    ] {
        assert_eq!(refused.0, "denied");
        assert!(refused.1.contains("uid:54003"), "{}", refused.1);
    }
    daemon.stop().exits(0);
}

#[test]
fn another_tenants_component_and_launch_are_as_if_they_were_not() {
    let Some((daemon, [mut alice, mut bob])) = with_users(TWO, [ALICE, BOB]) else {
        return;
    };
    let endless = ask(&mut alice, "endless_loop");
    // Bob knows the digest, and has not uploaded it.
    let (end, _) = bob.launch(endless.clone(), [("x", &input())], &()).unwrap();
    assert_eq!(end.outcome.kind.name(), "usage");
    assert!(
        end.outcome.message.contains("upload it first"),
        "{}",
        end.outcome.message
    );
    let cancel = alice.canceller();
    let launched = std::thread::spawn(move || {
        let launch = LaunchAsk {
            metering: Some("fast".parse().unwrap()),
            ..endless
        };
        alice.launch(launch, [("x", &input())], &())
    });
    let mut operator = daemon.client();
    let seen = loop {
        match &operator.list().unwrap()[..] {
            [] => std::thread::sleep(Duration::from_millis(5)),
            [only] => break only.clone(),
            more => panic!("{more:?}"),
        }
    };
    assert_eq!(seen.tenant.as_str(), "alice");
    assert_eq!(bob.list().unwrap(), []);
    let unknown = refusal(bob.cancel(hotcell::new_run_id()));
    assert_eq!(refusal(bob.cancel(seen.launch)), unknown);
    assert_eq!(refusal(bob.wait_for(seen.launch)), unknown);
    assert!(bob.status().unwrap().launches.is_empty());
    // Another connection of hers sees it, and so does the operator.
    let mut also_alice = client_of(&daemon.socket(), ALICE).unwrap();
    assert_eq!(also_alice.list().unwrap().len(), 1);
    let waits = std::thread::spawn(move || also_alice.wait_for(seen.launch));
    std::thread::sleep(Duration::from_millis(20));
    operator.cancel(seen.launch).unwrap();
    let (end, results) = launched.join().unwrap().unwrap();
    assert_eq!(end.outcome.kind.name(), "cancelled");
    assert!(results.is_empty());
    let told = waits.join().unwrap().unwrap();
    assert_eq!(
        (told.launch, told.outcome.kind),
        (end.launch, end.outcome.kind)
    );
    cancel();
    daemon.stop().exits(0);
}

#[test]
fn launches_through_the_daemon_are_the_commands_launches() {
    let daemon = Daemon::start();
    let place = &daemon.place;
    place.guest("honest", &Guest::named("honest"));
    place.write("x.npy", npy("|u1", &[4096], &[7; 4096]));
    let line = "honest.wasm --in x=@x.npy --out out=@out.npy --report r.json --quiet";
    daemon.run(line).exits(0);
    assert_eq!(read_npy(place.path("out.npy")), [7; 4096]);
    let through = place.report("r.json");
    let uid = rustix::process::geteuid().as_raw();
    assert_eq!(through["caller"], format!("uid:{uid}"));
    assert_eq!(through["tenant"], format!("uid-{uid}"));
    place
        .run(&format!("run {line} --tier unprivileged --tenant team"))
        .exits(0);
    let own = place.report("r.json");
    assert_eq!(
        (&own["caller"], &own["tenant"]),
        (&"unauthenticated".into(), &"team".into())
    );
    for same in ["component", "usage", "results", "outcome"] {
        let kept = |report: &serde_json::Value| match same {
            "component" => report[same]["digest"].clone(),
            "usage" => report[same]["fuel_used"].clone(),
            _ => report[same].clone(),
        };
        assert_eq!(kept(&through), kept(&own), "{same}");
    }
    daemon
        .run("honest.wasm --in x=@x.npy --tenant team")
        .exits(15)
        .says(&["not for `team`"]);
    daemon
        .run("honest.wasm --in x=@none.npy")
        .exits(3)
        .says(&["none.npy"]);
    daemon.run("none.wasm").exits(3).says(&["none.wasm"]);
    daemon.run("honest.wasm --in y=@x.npy").exits(2);
    daemon
        .run("honest.wasm --in x=@x.npy --limit fuel=1")
        .exits(12);
    daemon
        .run("honest.wasm --in x=@x.npy --grant clock")
        .exits(2);
    daemon
        .run("honest.wasm --in x=@x.npy --out out=@no/such/out.npy")
        .exits(3);
    daemon
        .run("honest.wasm --in x=@x.npy --out nothing=@out.npy")
        .exits(2)
        .says(&["no output `nothing`"]);
    let socket = daemon.socket();
    daemon.stop().exits(0);
    let gone = Command::new();
    gone.guest("honest", &Guest::named("honest"));
    gone.run(&format!("run --connect={} honest.wasm", socket.display()))
        .exits(3)
        .says(&["no daemon answers", "hotcell serve"]);
}

#[test]
fn budgets_hold_through_the_daemon_and_beside_it() {
    let uid = rustix::process::geteuid().as_raw();
    let policy = format!(
        "schema = 1\ntier = \"unprivileged\"\n[tenants.all]\nsubjects = [\"uid:{uid}\"]\n\
         budgets.launches = {{ size = 4, refill = 1, per = \"1m\" }}\n"
    );
    let daemon = Daemon::under(Some(&policy));
    let place = &daemon.place;
    place.guest("honest", &Guest::named("honest"));
    place.write("x.npy", npy("|u1", &[4096], &[7; 4096]));
    // One file says what the tenant has, whoever draws of it.
    let line = "honest.wasm --in x=@x.npy --quiet";
    daemon.run(line).exits(0);
    daemon.run(line).exits(0);
    let left = daemon.client().status().unwrap();
    let budget = &left.tenants[0].budgets[0];
    assert_eq!((budget.left, budget.size), (2, 4));
    daemon.run(line).exits(0);
    daemon.run(line).exits(0);
    daemon.run(line).exits(21).says(&["budget", "again in"]);
    place.run(&format!("run {line} --tenant all")).exits(21);
    assert!(as_user(uid, || ()).is_some() || uid != 0);
    daemon.stop().exits(0);
}

#[test]
fn whoever_stays_behind_a_policys_limits_is_told_the_same_as_at_the_command() {
    let policy =
        "schema = 1\ntier = \"unprivileged\"\n[ceilings]\ntimeout_ns = \"1s\"\n[tenants.\"*\"]\n";
    let daemon = Daemon::under(Some(policy));
    let mut client = daemon.client();
    let mut launch = ask(&mut client, "honest");
    launch.limits = [(
        "timeout_ns".to_owned(),
        hotcell_serve::protocol::Text::of("2s"),
    )]
    .into();
    let (end, _) = client.launch(launch, [("x", &input())], &()).unwrap();
    assert_eq!(end.outcome.kind.name(), "denied");
    assert!(
        end.outcome.message.contains("above its ceiling of 1s"),
        "{}",
        end.outcome.message
    );
    let clock = ask(&mut client, "wants_clock");
    let (end, _) = client.launch(clock, [("x", &input())], &()).unwrap();
    assert!(
        end.outcome.message.contains("hotcell:kernel/clock"),
        "{}",
        end.outcome.message
    );
    is_served(&mut client);
    daemon.stop().exits(0);
}
