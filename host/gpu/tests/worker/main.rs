//! The real program, locked in around a real driver and around none: what it serves, what ends it, and what it cannot do.

#![cfg(feature = "worker")]

mod ends;
mod harness;

use harness::{Gpu, Launch, skip};
use hotcell_model::gpu::{GpuAnswer, GpuCommand, GpuError, GpuStep, PIECE_BYTES, Payload};
use hotcell_model::layer::Layer;
use hotcell_model::limit::Limits;
use hotcell_model::probe::{Attempt, Attempted, Probe};
use hotcell_sandbox::memory::{OutputMemory, SealedMemory};
use std::os::fd::AsFd;

pub(crate) fn limits() -> Limits {
    Limits::defaults(Default::default())
}

/// Adds to each of the buffer's numbers. Every addend makes another shader.
pub(crate) fn adder(addend: u32) -> String {
    format!(
        "@group(0) @binding(0) var<storage, read_write> values: array<u32>;\n\
         @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {{\n\
             if id.x < arrayLength(&values) {{ values[id.x] += {addend}u; }}\n\
         }}"
    )
}

const COUNT: u32 = 4096;
const BYTES: u64 = COUNT as u64 * 4;

/// Runs a launch that adds to an input's numbers; the output, and what the first number of it should be.
fn add(gpu: &mut Gpu, addend: u32) -> Vec<u32> {
    let numbers: Vec<u8> = (0..COUNT).flat_map(u32::to_le_bytes).collect();
    let input = SealedMemory::copy_of(&numbers).unwrap();
    let output = OutputMemory::create(BYTES).unwrap();
    let arrays = [input.as_fd(), output.as_fd()];
    let launch = gpu.begin(&limits(), &[BYTES], &[BYTES], &arrays);
    let (buffer, bind_set) = launch.bind(&adder(addend), BYTES);
    let steps = vec![
        GpuStep::Fill {
            input: 0,
            input_offset_bytes: 0,
            buffer,
            offset_bytes: 0,
            len_bytes: BYTES,
        },
        GpuStep::Dispatch {
            bind_set,
            workgroups: [COUNT / 64, 1, 1],
        },
        GpuStep::ReadArray {
            output: 0,
            output_offset_bytes: 0,
            buffer,
            offset_bytes: 0,
            len_bytes: BYTES,
        },
    ];
    let waited = launch.call(&GpuCommand::Submit { steps, wait: true });
    assert_eq!(waited, GpuAnswer::Waited(Vec::new()));
    drop(launch);
    let (usage, end) = gpu.ended();
    assert_eq!((usage.dispatches, end), (1, None));
    // Nobody has it mapped any more.
    let sealed = output.seal().unwrap();
    let bytes = sealed.map().unwrap();
    bytes
        .chunks_exact(4)
        .map(|word| u32::from_le_bytes(word.try_into().unwrap()))
        .collect()
}

#[test]
fn launches_compute_on_shared_arrays_with_shaders_the_driver_never_saw() {
    let Some(mut gpu) = Gpu::start("software") else {
        return;
    };
    for addend in [3, 5, 7, 3] {
        let expected: Vec<u32> = (0..COUNT).map(|number| number + addend).collect();
        assert_eq!(add(&mut gpu, addend), expected);
    }
}

/// What makes a driver's compiler and allocator work: workgroup memory, barriers, functions of the library.
fn laborious(round: u32) -> String {
    format!(
        "@group(0) @binding(0) var<storage, read_write> values: array<u32>;\n\
         var<workgroup> shared_values: array<f32, 64>;\n\
         @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>,\n\
             @builtin(local_invocation_index) local: u32) {{\n\
             shared_values[local] = sin(f32(id.x)) + pow(f32(local), {round}.5) + exp2(f32(local % 8u));\n\
             workgroupBarrier();\n\
             var sum = 0.0;\n\
             for (var at = 0u; at < 64u; at++) {{ sum += shared_values[at] * f32(at + {round}u); }}\n\
             values[id.x] = bitcast<u32>(sum) | 1u;\n\
         }}"
    )
}

#[test]
fn a_driver_lives_with_the_lock() {
    const LARGE: u64 = 64 << 20;
    let Some(mut gpu) = Gpu::start("software") else {
        return;
    };
    for round in 0..6 {
        let launch = gpu.begin(&limits(), &[], &[], &[]);
        let (buffer, bind_set) = launch.bind(&laborious(round), LARGE);
        let offset_bytes = 4096 * 256 - 4;
        let steps = vec![
            GpuStep::Dispatch {
                bind_set,
                workgroups: [4096, 1, 1],
            },
            GpuStep::Read {
                buffer,
                offset_bytes,
                len_bytes: 8,
            },
        ];
        let GpuAnswer::Waited(pieces) = launch.call(&GpuCommand::Submit { steps, wait: true })
        else {
            panic!("round {round} was not done");
        };
        let [Payload(piece)] = &pieces[..] else {
            panic!("{} pieces", pieces.len());
        };
        // The last number was written, and the one behind it begins as zero.
        assert_eq!((piece[0] & 1, &piece[4..]), (1, &[0; 4][..]));
        drop(launch);
        assert_eq!(gpu.ended().1, None);
    }
}

#[test]
fn without_a_device_everything_is_done_but_the_dispatch() {
    let mut gpu = Gpu::start("nothing").expect("it is everywhere");
    let untouched: Vec<u32> = (0..COUNT).collect();
    assert_eq!(add(&mut gpu, 3), untouched);
    assert_eq!(add(&mut gpu, 4), untouched);
}

#[test]
fn every_layer_is_spoken_of_once() {
    for device in ["nothing", "software"] {
        let Some(gpu) = Gpu::start(device) else {
            continue;
        };
        assert!(!gpu.driver.is_empty());
        for layer in Layer::ALL {
            let spoken = gpu.layers.iter().filter(|report| report.layer == layer);
            // The supervisor speaks of its cgroups.
            assert_eq!(
                spoken.count(),
                usize::from(layer != Layer::Cgroup),
                "{layer}"
            );
        }
        // In the order in which they go on.
        let mut layers = gpu.layers.clone();
        layers.sort_by_key(|report| report.layer);
        let mut absent = layers.iter().filter(|report| !report.is_enforced());
        if device == "software" {
            let by_design = absent.next().map(|report| report.layer);
            assert_eq!(by_design, Some(Layer::WriteXorExecute));
        }
        for report in absent {
            skip(&format!(
                "{device}: {} is absent: {:?}",
                report.layer, report.state
            ));
        }
    }
}

#[test]
fn what_no_frame_holds_is_refused_and_the_launch_goes_on() {
    let mut gpu = Gpu::start("nothing").expect("it is everywhere");
    let launch = gpu.begin(&limits(), &[], &[], &[]);
    let (len_bytes, offset_bytes) = (PIECE_BYTES as u64, 0);
    let size_bytes = 2 * len_bytes;
    let buffer = launch.create(&GpuCommand::CreateBuffer { size_bytes });
    let read = |len_bytes| GpuCommand::ReadBuffer {
        buffer,
        offset_bytes,
        len_bytes,
    };
    is_misuse(&launch, &read(len_bytes + 4));
    let data = Payload(vec![9; PIECE_BYTES].into());
    let write = GpuCommand::WriteBuffer {
        buffer,
        offset_bytes,
        data: data.clone(),
    };
    assert_eq!(launch.call(&write), GpuAnswer::Done);
    assert_eq!(
        launch.call(&read(len_bytes)),
        GpuAnswer::Bytes(data.clone())
    );
    let step = GpuStep::Read {
        buffer,
        offset_bytes,
        len_bytes,
    };
    assert_eq!(
        launch.call(&GpuCommand::Record(vec![step.clone()])),
        GpuAnswer::Done
    );
    // All of a batch or nothing: what was recorded before is dropped with it.
    is_misuse(&launch, &GpuCommand::Record(vec![step.clone()]));
    let submit = |steps| GpuCommand::Submit { steps, wait: true };
    assert_eq!(
        launch.call(&submit(Vec::new())),
        GpuAnswer::Waited(Vec::new())
    );
    let answer = launch.call(&submit(vec![step]));
    assert!(
        answer == GpuAnswer::Waited(vec![data]),
        "the data came back"
    );
    drop(launch);
    assert_eq!(gpu.ended().1, None);
}

fn is_misuse(launch: &Launch, command: &GpuCommand) {
    let answer = launch.call(command);
    assert!(
        matches!(answer, GpuAnswer::Refused(GpuError::Misuse(_))),
        "{answer:?}"
    );
}

#[test]
fn a_locked_worker_opens_and_starts_nothing() {
    for device in ["nothing", "software"] {
        for probe in Probe::ALL {
            let Some(gpu) = Gpu::start(device) else {
                return;
            };
            match gpu.attempt(Attempt::Probe(*probe)) {
                Ok((Attempted::Refused(_), _)) => {}
                Ok((Attempted::Succeeded(_), _)) => {
                    let makes_code = [Probe::MakeExecutable, Probe::MakeCodeWritable];
                    assert!(
                        device == "software" && makes_code.contains(probe),
                        "{probe}"
                    );
                }
                Err(exit) => assert!(exit.status.is_refused_call(), "{probe}: {}", exit.status),
            }
            if device == "software" && *probe == Probe::ReadLink {
                // What kills is the same filter for both kinds; what a driver could open is the matter here.
                break;
            }
        }
    }
}
