//! A runner that breaks the rules. Where nothing else is said, it answers every launch with sevens.

use crate::peer::Peer;
use bytes::Bytes;
use hotcell_model::frame::{
    FromRunner, InputPlace, LaunchRequest, LogPiece, OutputPlace, ToRunner,
};
use hotcell_model::gpu::Payload;
use hotcell_model::job::RunEnd;
use hotcell_model::layer::{Layer, LayerReport};
use hotcell_model::outcome::{Blame, Frame, Outcome, OutcomeKind};
use hotcell_model::report::{LogLevel, Usage};
use hotcell_model::samples::{SampleCount, Samples};
use hotcell_sandbox::memory::OutputMemory;
use rustix::time::{ClockId, clock_gettime};
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

/// What its outputs consist of.
const SEVEN: u8 = 7;

pub(crate) fn serve(peer: &Peer) {
    if peer.is("ready-before-asked") {
        peer.send(&FromRunner::Ready(vec![LayerReport::enforced(
            Layer::Filter,
            "so it says",
        )]));
    }
    let (_, _artifact) = peer.receive::<ToRunner>();
    peer.stage("load");
    match () {
        () if peer.is("stale") => {
            peer.send(&FromRunner::Stale("\x1b[2J\nof another engine".into()))
        }
        () if peer.is("misfit") => peer.send(&FromRunner::Misfit("\x1b[2J\nno such import".into())),
        () if peer.is("failed") => peer.send(&FromRunner::Failed("\x1b[2J\nno reason".into())),
        () if peer.is("progress-for-ready") => peer.send(&progress(0)),
        () if peer.is("ready-with-other-layers") => {
            peer.send(&FromRunner::Ready(vec![LayerReport::enforced(
                Layer::Landlock,
                "",
            )]));
        }
        () if peer.is("ready-without-lock") => peer.send(&FromRunner::Ready(Vec::new())),
        () => peer.send(&FromRunner::Ready(vec![LayerReport::enforced(
            Layer::Filter,
            "so it says",
        )])),
    }
    peer.stage("ready");
    if peer.is("answers-before-asked") {
        // Of a launch that is still to come.
        peer.send(&Answer::new(2, vec![SEVEN; 4096]).frame());
    }
    loop {
        let (ToRunner::Launch(request), descriptors) = peer.receive::<ToRunner>() else {
            panic!("only launches come after an artifact");
        };
        launch(peer, *request, descriptors);
        peer.stage("answered");
    }
}

fn launch(peer: &Peer, request: LaunchRequest, descriptors: Vec<OwnedFd>) {
    let id = request.id;
    peer.stage("launch");
    let inputs = request
        .inputs
        .iter()
        .filter(|place| !matches!(place, InputPlace::Inline(_)));
    let memories = descriptors.into_iter().skip(inputs.count());
    let job = request.job;
    let written: Vec<_> = job.arrays.iter().filter(|array| array.is_written).collect();
    let sizes = written.iter().map(|array| array.size_bytes);
    let places: Vec<_> = sizes.zip(request.outputs).collect();

    let inline = places
        .iter()
        .filter(|(_, place)| *place == OutputPlace::Inline);
    let inline: Vec<Vec<u8>> = inline.map(|(size, _)| sevens(*size)).collect();
    let shared = places
        .iter()
        .filter(|(_, place)| *place == OutputPlace::Memory);
    let outputs: Vec<(u64, OwnedFd)> = shared.map(|(size, _)| *size).zip(memories).collect();
    let kept = write(peer, &outputs);

    let mut answer = Answer::new(id, Vec::new());
    answer.end.outputs = inline.into_iter().map(payload).collect();
    before_the_answer(peer, id);
    change(peer, &mut answer);
    let answer = answer.frame();
    match () {
        () if peer.is("answer-with-descriptors") => peer.smuggle(&peer.encoded(&answer), 5),
        () if peer.is("answer-cut") => {
            let bytes = peer.encoded(&answer);
            peer.send_raw(&bytes[..bytes.len() / 2]);
        }
        () if peer.is("answer-and-more") => {
            peer.send_raw(&[peer.encoded(&answer), vec![0]].concat())
        }
        () => peer.send(&answer),
    }
    after_the_answer(peer, &answer, outputs);
    // What is kept stays mapped for as long as this process lives.
    kept.into_iter().for_each(std::mem::forget);
}

/// Fills the outputs that are memory; what is returned is still mapped.
fn write(peer: &Peer, outputs: &[(u64, OwnedFd)]) -> Vec<hotcell_sandbox::memory::Writable> {
    let mut kept = Vec::new();
    for (len, file) in outputs {
        let file = file.as_fd().try_clone_to_owned().expect("a descriptor");
        let memory = OutputMemory::adopt(file, *len).expect("memory of a fixed size");
        let mut mapped = memory.map().expect("address space");
        mapped.as_mut().fill(SEVEN);
        if peer.is("keeps-memory-mapped") {
            kept.push(mapped);
        }
    }
    kept
}

fn before_the_answer(peer: &Peer, id: u64) {
    match () {
        () if peer.is("floods-log") => loop {
            peer.send(&line(id, &"x".repeat(1000)));
        },
        () if peer.is("floods-lines") => loop {
            peer.send(&line(id, ""));
        },
        () if peer.is("forges-log") => {
            peer.send(&line(
                id,
                "fine\n2026-01-01 ERROR hotcell: forged\r\x1b[2J\u{202e}",
            ));
        }
        () if peer.is("logs-for-another") => peer.send(&line(id + 1, "of another launch")),
        () if peer.is("floods-progress") => loop {
            peer.send(&progress(id));
        },
        () if peer.is("samples") => peer.send(&samples(id, 1)),
        () if peer.is("samples-twice") => {
            peer.send(&samples(id, 1));
            peer.send(&samples(id, 1));
        }
        () if peer.is("samples-for-another") => peer.send(&samples(id + 1, 1)),
        () if peer.is("samples-of-years") => peer.send(&samples(id, u64::MAX)),
        () if peer.is("samples-of-nothing-named") => {
            let mut bytes = peer.encoded(&samples(id, 1));
            // Behind the stack's only function: whether it is cut, its two counts, and two that are elsewhere.
            let function = bytes.len() - 6;
            bytes[function] = 9;
            peer.send_raw(&bytes);
        }
        () if peer.is("burns-and-denies") => {
            // CPU time, since others may have the processor meanwhile.
            while clock_gettime(ClockId::ProcessCPUTime).tv_nsec < 400_000_000 {
                std::hint::spin_loop();
            }
        }
        () => {}
    }
}

/// Turns an honest answer into the one that was wanted.
fn change(peer: &Peer, answer: &mut Answer) {
    let failed = |kind| Outcome::failed(kind, Blame::Guest, "\x1b[2J\nso it says");
    let end = &mut answer.end;
    if let Some((kind, blame)) = blamed(peer) {
        end.outcome = Outcome::failed(kind, blame, "so it says");
        end.outputs.clear();
    }
    match () {
        () if peer.is("answers-for-another") => answer.id += 1,
        () if peer.is("too-many-outputs") => end.outputs.push(payload(vec![SEVEN])),
        () if peer.is("too-few-outputs") => end.outputs.clear(),
        () if peer.is("short-output") => {
            end.outputs.iter_mut().for_each(|bytes| bytes.0.truncate(1))
        }
        () if peer.is("long-output") => {
            let longer = |bytes: &Payload| payload([&bytes.0[..], &[SEVEN]].concat());
            end.outputs = end.outputs.iter().map(longer).collect();
        }
        () if peer.is("trap-with-outputs") => end.outcome = failed(OutcomeKind::Trap),
        () if peer.is("done-with-blame") => {
            end.outcome = Outcome {
                blame: Some(Blame::Guest),
                ..Outcome::done()
            };
        }
        () if peer.is("partial-and-done") => {
            end.outcome = Outcome {
                partial: true,
                ..Outcome::done()
            };
        }
        () if peer.is("denied") => end.outcome = failed(OutcomeKind::Denied),
        () if peer.is("isolation") => end.outcome = failed(OutcomeKind::Isolation),
        () if peer.is("says-nothing") => {
            end.outcome = Outcome {
                message: String::new(),
                ..Outcome::failed(OutcomeKind::Trap, Blame::Guest, "x")
            };
            end.outputs.clear();
        }
        () if peer.is("traps") => {
            end.outcome = failed(OutcomeKind::Trap);
            end.outputs.clear();
        }
        () if peer.is("claims-the-most") => {
            end.usage = Usage {
                fuel_used: Some(u64::MAX),
                wall_ns: u64::MAX,
                cpu_ns: u64::MAX,
                peak_memory_bytes: u64::MAX,
                bytes_in: u64::MAX,
                bytes_out: u64::MAX,
                host_calls: u64::MAX,
                log_bytes: u64::MAX,
                log_lines_dropped: u64::MAX,
                instances: u64::MAX,
                ..Usage::default()
            };
        }
        () => {}
    }
}

/// Whom it blames for what, if that is what it does.
fn blamed(peer: &Peer) -> Option<(OutcomeKind, Blame)> {
    [
        (
            "blames the-operator",
            OutcomeKind::HostFault,
            Blame::Operator,
        ),
        (
            "blames the-request",
            OutcomeKind::KernelError,
            Blame::Request,
        ),
        ("blames nobody", OutcomeKind::Trap, Blame::Unknown),
        ("blames the-file", OutcomeKind::Io, Blame::Request),
        ("blames the-gpu", OutcomeKind::GpuLost, Blame::Host),
        ("blames the-cancel", OutcomeKind::Cancelled, Blame::Request),
        ("blames the-host", OutcomeKind::HostFault, Blame::Host),
    ]
    .into_iter()
    .find(|(behaviour, ..)| peer.is(behaviour))
    .map(|(_, kind, blame)| (kind, blame))
}

fn after_the_answer(peer: &Peer, answer: &FromRunner, outputs: Vec<(u64, OwnedFd)>) {
    if peer.is("answers-twice") {
        peer.send(answer);
    }
    if peer.is("writes-afterwards") {
        // Until the seal forbids it, and a while longer.
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_millis(100) {
            for (_, file) in &outputs {
                let file = File::from(file.as_fd().try_clone_to_owned().expect("a descriptor"));
                let _ = file.write_at(&[8; 64], 0);
            }
        }
    }
}

/// The end of a launch, before it is a frame.
struct Answer {
    id: u64,
    end: RunEnd<Payload>,
}

impl Answer {
    /// That all went well, with that output.
    fn new(id: u64, output: Vec<u8>) -> Self {
        let mut end = RunEnd::not_run(Outcome::done());
        end.usage.instances = 1;
        end.outputs = vec![payload(output)];
        Self { id, end }
    }

    fn frame(self) -> FromRunner {
        let (id, end) = (self.id, Box::new(self.end));
        FromRunner::Ended { id, end }
    }
}

fn payload(bytes: Vec<u8>) -> Payload {
    Payload(Bytes::from(bytes))
}

fn line(id: u64, text: &str) -> FromRunner {
    let text = text.to_owned();
    FromRunner::Log(LogPiece {
        id,
        level: LogLevel::Error,
        text,
        is_end: true,
    })
}

/// That a function was found so often, whose name moves the cursor.
fn samples(id: u64, looks: u64) -> FromRunner {
    let mut samples = Box::new(Samples::every(Duration::from_millis(1)));
    let function = Frame {
        function: Some("\x1b[2J".to_owned()),
        ..Frame::default()
    };
    let place = samples.place(&[function], false);
    let count = SampleCount {
        samples: looks,
        cpu_ns: looks,
    };
    samples.count(place, count);
    FromRunner::Samples { id, samples }
}

fn progress(id: u64) -> FromRunner {
    FromRunner::Progress {
        id,
        done: 1,
        total: 2,
    }
}

fn sevens(len: u64) -> Vec<u8> {
    vec![SEVEN; usize::try_from(len).expect("a small output")]
}
