//! Mutated frames through everything of the supervisor that reads a worker's word: no panic, nothing kept beyond
//! the limits, and nothing after a violation or an end.

use crate::fuzz::fuzz;
use hotcell::description::Refusal;
use hotcell::fuzzing::{
    CompileAnswer, CompileTask, Expected, Greeting, Heard, LaunchReading, LoadAnswer,
    read_attempted, read_compiled, read_hello, read_loaded,
};
use hotcell::layer::{Layer, LayerReport};
use hotcell::limit::{Amount, Breach, Limit, LimitSource, Limits};
use hotcell::outcome::{Blame, Frame, Outcome, OutcomeKind};
use hotcell::report::LogLevel;
use hotcell_model::frame::{
    Described, FromCompiler, FromRunner, Hello, LogPiece, Phases, WireDescription, encode_long,
};
use hotcell_model::gpu::Payload;
use hotcell_model::job::RunEnd;
use hotcell_model::layer::WorkerKind;
use hotcell_model::probe::Attempted;
use hotcell_model::samples::{SampleCount, Samples};
use hotcell_tests::{Guest, description};
use serde::Serialize;
use std::time::Duration;

/// The launch that runs.
const ID: u64 = 5;
/// The output that it owes.
const OUTPUT: usize = 16;
const LOG_BYTES: u64 = 200;
const LOG_LINES: u64 = 8;

fn bytes<T: Serialize>(value: &T) -> Vec<u8> {
    let mut buffer = Vec::new();
    encode_long(value, &mut buffer).unwrap();
    buffer
}

fn limits() -> Limits {
    let mut limits = Limits::defaults(Default::default());
    for (limit, value) in [
        (Limit::LogBytes, LOG_BYTES),
        (Limit::LogLines, LOG_LINES),
        (Limit::HostCalls, 50),
    ] {
        limits.try_set(limit, value, LimitSource::Request).unwrap();
    }
    limits
}

fn breach() -> Breach {
    let maximum = limits().get(Limit::Functions);
    Breach {
        limit: Limit::Functions,
        amount: Amount::Requested(maximum + 1),
        maximum,
    }
}

fn line(text: &str, is_end: bool) -> FromRunner {
    FromRunner::Log(LogPiece {
        id: ID,
        level: LogLevel::Info,
        text: text.into(),
        is_end,
    })
}

fn end(outcome: &Outcome, inline: &[usize]) -> FromRunner {
    let mut end = RunEnd::not_run(outcome.clone().clean());
    end.usage.fuel_used = Some(1 << 40);
    end.usage.instances = 1;
    let output = |len: &usize| Payload(vec![1; *len].into());
    end.outputs = inline.iter().map(output).collect();
    FromRunner::Ended {
        id: ID,
        end: Box::new(end),
    }
}

/// What an honest runner says in the course of a launch.
fn words_of_a_launch() -> Vec<FromRunner> {
    let frame = Frame {
        function: Some("kernel".into()),
        file: Some("k.rs".into()),
        line: Some(3),
    };
    let trapped = Outcome {
        trace: vec![frame; 3],
        ..Outcome::failed(OutcomeKind::Trap, Blame::Guest, "trapped")
    };
    vec![
        line("a line", true),
        line("half a ", false),
        FromRunner::Progress {
            id: ID,
            done: 1,
            total: 2,
        },
        end(&Outcome::done(), &[OUTPUT]),
        end(&trapped, &[]),
        end(&Outcome::breached(breach()), &[]),
        FromRunner::Failed("no reason".into()),
        sampled(),
        end(&Outcome::done(), &[OUTPUT]),
        line("late", true),
    ]
}

/// That two stacks were found.
fn sampled() -> FromRunner {
    let mut samples = Box::new(Samples::every(Duration::from_millis(1)));
    let function = |name: &str| Frame {
        function: Some(name.into()),
        ..Frame::default()
    };
    for stack in [&[function("a")][..], &[function("a"), function("\x1b")]] {
        let place = samples.place(stack, false);
        let count = SampleCount {
            samples: 1,
            cpu_ns: 9,
        };
        samples.count(place, count);
    }
    FromRunner::Samples { id: ID, samples }
}

fn is_plain(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

#[test]
fn mutated_words_of_a_launch_are_violations_or_within_its_limits() {
    // Each seed is several frames, each behind a byte of its length.
    let frames: Vec<Vec<u8>> = words_of_a_launch().iter().map(bytes).collect();
    let mut seeds: Vec<Vec<u8>> = frames.windows(3).map(pack).collect();
    seeds.push(pack(&vec![frames[0].clone(); 20]));
    seeds.push(pack(&[
        frames[1].clone(),
        frames[0].clone(),
        frames[3].clone(),
    ]));
    let (mut ended, mut violated, mut sampled) = (0u64, 0u64, 0u64);
    let rounds = fuzz(0x5eed_0004, &seeds, |bytes| {
        let expected = Expected {
            id: ID,
            inline: vec![OUTPUT],
            limits: limits(),
            chunks: 1,
            sample_every: Some(Duration::from_millis(1)),
        };
        let (mut reading, mut lines, mut kept) = (LaunchReading::new(expected), 0, 0);
        for frame in unpack(&bytes) {
            match reading.read(frame, 0) {
                Err(_) => {
                    violated += 1;
                    break;
                }
                Ok(Heard::Line(line)) => {
                    assert!(is_plain(&line.message), "{line:?}");
                    (lines, kept) = (lines + 1, kept + line.message.len());
                }
                Ok(Heard::Ended(end)) => {
                    let outcome = &end.outcome;
                    assert!(is_plain(&outcome.message), "{outcome:?}");
                    assert_eq!(outcome.kind == OutcomeKind::Done, outcome.blame.is_none());
                    let sizes: Vec<usize> = end.outputs.iter().map(|bytes| bytes.len()).collect();
                    assert_eq!(
                        sizes,
                        if outcome.keeps_outputs() {
                            vec![OUTPUT]
                        } else {
                            vec![]
                        }
                    );
                    assert!(
                        reading.read(&frames[0], 0).is_err(),
                        "nothing comes after the end"
                    );
                    let samples = end.samples.as_ref();
                    for stack in samples.iter().flat_map(|samples| samples.stacks()) {
                        let names = stack.functions.iter().flat_map(|one| &one.function);
                        assert!(names.into_iter().all(|name| is_plain(name)), "{stack:?}");
                    }
                    sampled += u64::from(samples.is_some());
                    ended += 1;
                    break;
                }
                Ok(_) => {}
            }
        }
        // An escape is at most ten bytes long, of one.
        assert!(
            lines <= LOG_LINES && kept as u64 <= 10 * LOG_BYTES + 64,
            "{lines} lines, {kept} bytes"
        );
    });
    assert!(
        rounds > 1000 && ended > sampled && sampled > 0 && violated > 0,
        "{rounds}, {ended}, {sampled}, {violated}"
    );
}

/// Frames behind one another, each behind its length.
fn pack(frames: &[Vec<u8>]) -> Vec<u8> {
    let length = |frame: &Vec<u8>| u8::try_from(frame.len()).expect("a short frame");
    frames
        .iter()
        .flat_map(|frame| [vec![length(frame)], frame.clone()].concat())
        .collect()
}

fn unpack(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    while let Some((len, rest)) = bytes.split_first() {
        let (frame, rest) = rest.split_at(usize::from(*len).min(rest.len()));
        frames.push(frame);
        bytes = rest;
    }
    frames
}

#[test]
fn mutated_greetings_and_answers_are_violations_or_checked_words() {
    let layers = Layer::ALL
        .map(|layer| LayerReport::absent(layer, "why", "remedy"))
        .to_vec();
    let said = Described {
        bytes: 99,
        phases: Phases::default(),
    };
    let refusal = Refusal::TooMuch(breach());
    let seeds = [
        bytes(&Hello {
            build: [7; 16],
            kind: WorkerKind::Runner,
            layers: layers.clone(),
        }),
        bytes(&FromRunner::Ready(layers[11..].to_vec())),
        bytes(&FromRunner::Stale("old".into())),
        bytes(&FromCompiler::Described(said)),
        bytes(&FromCompiler::Compiled(said)),
        bytes(&FromCompiler::Refused(refusal)),
        bytes(&FromCompiler::Attempted(Attempted::Refused(1))),
    ];
    let (limits, mut accepted, mut refused) = (limits(), 0u64, 0u64);
    let rounds = fuzz(0x5eed_0005, &seeds, |bytes| {
        let hello = read_hello(&bytes, 0, [7; 16], WorkerKind::Runner);
        if let Ok(Greeting::Layers(layers)) = &hello {
            assert!(layers.len() <= Layer::ALL.len());
        }
        let loaded = read_loaded(&bytes, 0);
        if let Ok(LoadAnswer::Stale(why) | LoadAnswer::Misfit(why) | LoadAnswer::Failed(why)) =
            &loaded
        {
            assert!(is_plain(why), "{why:?}");
        }
        let compiled = read_compiled(&bytes, 0, CompileTask::Compile, 100, &limits);
        if let Ok(CompileAnswer::Written { bytes, .. }) = compiled {
            assert!(bytes <= 100);
        }
        let attempted = read_attempted(&bytes, 0, WorkerKind::Compiler);
        for is_ok in [
            hello.is_ok(),
            loaded.is_ok(),
            compiled.is_ok(),
            attempted.is_ok(),
        ] {
            accepted += u64::from(is_ok);
            refused += u64::from(!is_ok);
        }
        assert!(
            read_loaded(&bytes, 1).is_err(),
            "no worker sends descriptors"
        );
    });
    assert!(
        rounds > 1000 && accepted > 0 && refused > 0,
        "{rounds}, {accepted}, {refused}"
    );
}

#[test]
fn mutated_descriptions_are_read_or_refused_as_a_components_own_would_be() {
    let seeds = [
        description(&Guest::named("honest")),
        description(&Guest::named("honest").split()),
    ];
    let items = limits().get(Limit::Items);
    let (mut read, mut refused) = (0u64, 0u64);
    let rounds = fuzz(0x5eed_0006, &seeds, |bytes| {
        match WireDescription::read(&bytes, items) {
            Ok(Ok(_)) => read += 1,
            Ok(Err(_)) | Err(_) => refused += 1,
        }
    });
    assert!(
        rounds > 1000 && read > 0 && refused > 0,
        "{rounds}, {read}, {refused}"
    );
}
