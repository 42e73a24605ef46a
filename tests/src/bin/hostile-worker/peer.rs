//! The supervisor as a hostile worker sees it: what can be sent there, in and out of turn.

use hotcell_model::frame::{self, BuildId, Hello};
use hotcell_model::layer::{Layer, LayerReport, WorkerKind};
use hotcell_sandbox::channel::{Channel, Received};
use rustix::net::{SendFlags, send};
use rustix::process::{Signal, getpid, kill_process};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

/// More than a frame may be, and no more than a socket takes.
const TOO_LONG: usize = 128 << 10;

/// The other end, and what this worker was told to do to it.
pub(crate) struct Peer {
    channel: Channel,
    kind: WorkerKind,
    build: BuildId,
    behaviour: String,
}

impl Peer {
    pub(crate) fn new(kind: WorkerKind, build: BuildId, behaviour: String) -> Self {
        let channel = Channel::from_standard_input().expect("a channel");
        Self {
            channel,
            kind,
            build,
            behaviour,
        }
    }

    /// Whether it was told that.
    pub(crate) fn is(&self, behaviour: &str) -> bool {
        self.behaviour == behaviour
    }

    /// Reaches a stage of a worker's life; one of them may be its last.
    pub(crate) fn stage(&self, stage: &str) {
        match self.behaviour.split_once(' ') {
            Some(("hangs", at)) if at == stage => sleep(),
            Some(("stops", at)) if at == stage => raise(Signal::STOP),
            Some(("exits", at)) if at == stage => std::process::exit(3),
            Some(("faults", at)) if at == stage => raise(Signal::SEGV),
            Some(("calls", at)) if at == stage => raise(Signal::SYS),
            Some(("babbles", at)) if at == stage => self.send_raw(&[0xff; 100]),
            Some(("shouts", at)) if at == stage => self.send_raw(&vec![0; TOO_LONG]),
            Some(("mumbles", at)) if at == stage => loop {
                self.send_raw(&[]);
            },
            Some(("smuggles", at)) if at == stage => self.smuggle(&[0; 3], 200),
            _ => {}
        }
    }

    /// Says hello, in one of several ways.
    pub(crate) fn hello(&self) {
        let mut hello = Hello {
            build: self.build,
            kind: self.kind,
            layers: Layer::ALL
                .map(|layer| LayerReport::enforced(layer, "so it says"))
                .to_vec(),
        };
        // A runner that has loaded nothing is not locked yet.
        if self.kind == WorkerKind::Runner {
            hello.layers.retain(|report| report.layer != Layer::Filter);
        }
        match self.behaviour.as_str() {
            "wrong-build" => hello.build[0] ^= 1,
            "wrong-kind" => {
                hello.kind = match self.kind {
                    WorkerKind::Runner | WorkerKind::Gpu => WorkerKind::Compiler,
                    WorkerKind::Compiler | WorkerKind::Guarded => WorkerKind::Runner,
                }
            }
            "no-walls" => hello.layers.clear(),
            "layers-twice" => hello.layers.push(hello.layers[0].clone()),
            "layers-that-shout" => {
                hello.layers[0] = LayerReport::enforced(Layer::WriteXorExecute, "\x1b[2J\nforged");
            }
            _ => {}
        }
        let mut bytes = self.encoded(&hello);
        match self.behaviour.as_str() {
            "hello-cut" => bytes.truncate(bytes.len() - 1),
            "hello-and-more" => bytes.push(0),
            "hello-with-descriptors" => return self.smuggle(&bytes, 3),
            _ => {}
        }
        self.send_raw(&bytes);
    }

    /// Sends a frame.
    pub(crate) fn send<T: Serialize>(&self, value: &T) {
        self.send_raw(&self.encoded(value));
    }

    /// Sends a message that may be none.
    pub(crate) fn send_raw(&self, bytes: &[u8]) {
        if send(&self.channel, bytes, SendFlags::NOSIGNAL).is_err() {
            std::process::exit(0);
        }
    }

    /// Sends bytes with so many descriptors beside them.
    pub(crate) fn smuggle(&self, bytes: &[u8], count: usize) {
        let file = File::open("/dev/null").expect("there is a /dev/null");
        let _ = self.channel.send(bytes, &vec![file.as_fd(); count]);
    }

    pub(crate) fn encoded<T: Serialize>(&self, value: &T) -> Vec<u8> {
        let mut buffer = Vec::new();
        frame::encode_long(value, &mut buffer).expect("a value that crosses");
        buffer
    }

    /// The next request; the process ends when the supervisor is gone.
    pub(crate) fn receive<T: DeserializeOwned>(&self) -> (T, Vec<OwnedFd>) {
        let (mut buffer, mut descriptors) = (Vec::new(), Vec::new());
        match self.channel.receive(&mut buffer, &mut descriptors) {
            Ok(Received::Frame) => {}
            _ => std::process::exit(0),
        }
        (
            frame::decode(&buffer).expect("an honest supervisor's frame"),
            descriptors,
        )
    }
}

/// Does nothing, for ever.
pub(crate) fn sleep() -> ! {
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

/// Sends itself a signal: a second time if the first only took a handler away.
fn raise(signal: Signal) {
    for _ in 0..2 {
        let _ = kill_process(getpid(), signal);
        if signal == Signal::STOP {
            return;
        }
    }
}
