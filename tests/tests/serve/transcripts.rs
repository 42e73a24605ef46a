//! What `docs/protocol.md` shows is what is said, and `docs/protocol.schema.json` describes it.

use hotcell_sandbox::memory::SealedMemory;
use hotcell_tests::schema::Walk;
use hotcell_tests::{Command, Daemon, checkout, skip};
use rustix::net::{
    RecvAncillaryBuffer, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, recvmsg,
    sendmsg,
};
use serde_json::Value;
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

/// What stands for what differs.
const ANYTHING: &str = "…";

fn page() -> String {
    std::fs::read_to_string(checkout().join("docs/protocol.md")).unwrap()
}

/// The blocks of the page that are in that language.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let begin = format!("```{language}\n");
    let blocks = page.split(&begin).skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap().to_owned())
        .collect()
}

/// Whether a value is what is shown.
fn is_as_shown(shown: &Value, value: &Value) -> bool {
    match (shown, value) {
        (Value::String(anything), _) if anything == ANYTHING => true,
        (Value::Object(shown), Value::Object(value)) => {
            let is_open = shown.contains_key(ANYTHING);
            let known = shown.iter().filter(|(key, _)| *key != ANYTHING);
            let fits = known.clone().all(|(key, shown)| {
                value
                    .get(key)
                    .is_some_and(|value| is_as_shown(shown, value))
            });
            fits && (is_open || known.count() == value.len())
        }
        (Value::Array(shown), Value::Array(value)) => {
            shown.len() == value.len()
                && shown
                    .iter()
                    .zip(value)
                    .all(|(shown, value)| is_as_shown(shown, value))
        }
        _ => shown == value,
    }
}

/// A connection on which lines are read one by one.
struct Lines {
    socket: UnixStream,
    bytes: Vec<u8>,
}

impl Lines {
    fn next(&mut self) -> Value {
        loop {
            if let Some(end) = self.bytes.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.bytes.drain(..=end).collect();
                return serde_json::from_slice(&line).unwrap();
            }
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(253))];
            let mut ancillary = RecvAncillaryBuffer::new(&mut space);
            let mut part = [0; 4096];
            let mut parts = [IoSliceMut::new(&mut part)];
            let flags = RecvFlags::CMSG_CLOEXEC;
            let received = recvmsg(&self.socket, &mut parts, &mut ancillary, flags).unwrap();
            assert!(received.bytes > 0, "the daemon says no more");
            self.bytes.extend_from_slice(&part[..received.bytes]);
        }
    }

    fn send(&self, line: &str, memories: &[OwnedFd]) {
        let fds: Vec<_> = memories.iter().map(AsFd::as_fd).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(253))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        assert!(ancillary.push(SendAncillaryMessage::ScmRights(&fds)));
        let line = format!("{line}\n");
        sendmsg(
            &self.socket,
            &[IoSlice::new(line.as_bytes())],
            &mut ancillary,
            SendFlags::empty(),
        )
        .unwrap();
    }
}

/// `f32 [1, 2]` as memory.
fn floats(text: &str) -> OwnedFd {
    let numbers = text
        .strip_prefix("f32 ")
        .expect("memory is a component or f32");
    let numbers: Vec<f32> = serde_json::from_str(numbers).unwrap();
    let bytes: Vec<u8> = numbers
        .iter()
        .flat_map(|number| number.to_le_bytes())
        .collect();
    SealedMemory::copy_of(&bytes).unwrap().into_fd()
}

#[test]
fn the_pages_transcripts_are_what_is_said_and_the_schema_describes_every_line() {
    let Some(saxpy) = Command::kernel("saxpy") else {
        return skip("target/kernels/saxpy.wasm is not there: `cargo xtask kernels` builds it");
    };
    let component = std::fs::read(saxpy).unwrap();
    let digest = hotcell::Component::new(component.clone())
        .digest()
        .to_string();
    let schema = std::fs::read_to_string(checkout().join("docs/protocol.schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let mut walk = Walk::new(&schema);
    let transcripts = blocks(&page(), "transcript");
    assert!(!transcripts.is_empty());
    for transcript in transcripts {
        let daemon = Daemon::start();
        let socket = daemon.connection();
        let mut lines = Lines {
            socket,
            bytes: Vec::new(),
        };
        let mut memories = Vec::new();
        let bytes = component.len().to_string();
        let filled = transcript
            .replace("\"@bytes\"", &bytes)
            .replace("@digest", &digest);
        let mut said = 0;
        for line in filled.lines() {
            let (who, what) = line.split_at(2);
            match who {
                "M " if what == "saxpy.wasm" => {
                    memories.push(SealedMemory::copy_of(&component).unwrap().into_fd());
                }
                "M " => memories.push(floats(what)),
                "C " => {
                    let message: Value = serde_json::from_str(what).unwrap();
                    // What is wrong on purpose is in no schema.
                    if !what.contains("dance") {
                        walk.check(&schema, &message, "")
                            .unwrap_or_else(|error| panic!("{what}: {error}"));
                    }
                    lines.send(what, &memories);
                    memories.clear();
                }
                "D " => {
                    let shown: Value = serde_json::from_str(what).unwrap();
                    let answer = lines.next();
                    assert!(is_as_shown(&shown, &answer), "{answer} is not\n{shown}");
                    walk.check(&schema, &answer, "")
                        .unwrap_or_else(|error| panic!("{answer}: {error}"));
                    said += 1;
                }
                _ => panic!("{line}"),
            }
        }
        assert!(said > 5);
        daemon.stop().exits(0);
    }
}

#[test]
fn the_schema_knows_every_key_and_no_other() {
    let schema = std::fs::read_to_string(checkout().join("docs/protocol.schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let daemon = Daemon::start();
    let full = r#"{"id":1,"do":{"launch":{"component":"DIGEST","entry":"attack","inputs":{},"scalars":{"a":1},"dims":{"n":"3"},
        "limits":{"fuel":"1G"},"metering":"strict","wants":["log"],"seed":7,"threads":1,"split":false,"digests":false,
        "gpu_profile":true,"events":true,"report":true}}}"#;
    let full = full.replace("DIGEST", &"0".repeat(64)).replace('\n', "");
    let line: Value = serde_json::from_str(&full).unwrap();
    Walk::new(&schema).check(&schema, &line, "").unwrap();
    let launch = &schema["$defs"]["ask"]["oneOf"][1]["properties"]["launch"]["properties"];
    let known: Vec<_> = launch.as_object().unwrap().keys().collect();
    let used: Vec<_> = line["do"]["launch"].as_object().unwrap().keys().collect();
    assert_eq!(known.len(), used.len(), "{known:?} {used:?}");
    let mut lines = Lines {
        socket: daemon.connection(),
        bytes: Vec::new(),
    };
    lines.next();
    lines.send(&full, &[]);
    // Every key is read: what is in the way is that there is no such component.
    assert!(lines.next()["answer"]["launched"].is_object());
    let ended = lines.next();
    assert_eq!(
        ended["answer"]["ended"]["outcome"]["kind"], "usage",
        "{ended}"
    );
    Walk::new(&schema).check(&schema, &ended, "").unwrap();
    let more: Value = serde_json::from_str(&full.replace("\"entry\"", "\"entrance\"")).unwrap();
    assert!(Walk::new(&schema).check(&schema, &more, "").is_err());
    daemon.stop().exits(0);
}

#[test]
fn the_pages_client_in_python_is_served() {
    let Some(saxpy) = Command::kernel("saxpy") else {
        return skip("target/kernels/saxpy.wasm is not there: `cargo xtask kernels` builds it");
    };
    let daemon = Daemon::start();
    let program = blocks(&page(), "python").remove(0);
    let program = program
        .replace(
            "/run/hotcell/hotcell.sock",
            &daemon.socket().display().to_string(),
        )
        .replace(
            "\"saxpy.wasm\"",
            &format!("{:?}", saxpy.display().to_string()),
        );
    daemon.place.write("client.py", program);
    let Some(running) = daemon.place.start_program("python3", "client.py") else {
        return skip("no python3");
    };
    let finished = running.wait().exits(0);
    assert_eq!(finished.stdout.trim(), "done [3.5, 6.0, 8.5]");
    daemon.stop().exits(0);
}
