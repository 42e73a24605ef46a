//! How workers and launches end: hung up, cancelled, killed, and sent what is no frame.

use crate::harness::{Gpu, PATIENCE, command, receive, send};
use crate::limits;
use hotcell_model::frame::{FromGpu, GpuRequest, Hello, ToGpu};
use hotcell_model::gpu::{GpuAnswer, GpuCommand, GpuEnd, GpuStep};
use hotcell_model::limit::{Limit, LimitSource};
use hotcell_sandbox::channel::Channel;
use hotcell_sandbox::memory::{OutputMemory, SealedMemory};
use hotcell_sandbox::process::{ExitKind, Signal};
use std::io::{BufRead, BufReader};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What the program ends with when it is sent what is no frame.
const NO_FRAME: ExitKind = ExitKind::Code(70);
/// Makes a test of this binary the supervisor that is killed.
const SUPERVISE: &str = "HOTCELL_TEST_SUPERVISE";

fn nothing() -> Gpu {
    Gpu::start("nothing").expect("it is everywhere")
}

#[test]
fn a_worker_ends_when_its_supervisor_hangs_up() {
    let gpu = nothing();
    gpu.worker.channel.shutdown().unwrap();
    assert_eq!(gpu.end().status, ExitKind::Code(0));
    // In the middle of a launch, too.
    let mut gpu = nothing();
    let _launch = gpu.begin(&limits(), &[], &[], &[]);
    gpu.worker.channel.shutdown().unwrap();
    assert_eq!(gpu.end().status, ExitKind::Code(0));
}

#[test]
fn a_killed_worker_is_told_to_the_runner() {
    let mut gpu = nothing();
    let launch = gpu.begin(&limits(), &[], &[], &[]);
    launch.create(&GpuCommand::CreateBuffer { size_bytes: 64 });
    launch.call(&GpuCommand::Open);
    gpu.worker.kill();
    assert_eq!(gpu.end().status, ExitKind::Signal(Signal::KILL.as_raw()));
    let used = launch.used().unwrap();
    assert_eq!((used.buffers, used.peak_bytes), (1, 64));
    assert_eq!(receive::<GpuAnswer>(&launch.runner), None);
}

#[test]
fn what_is_no_frame_ends_the_worker() {
    let gpu = nothing();
    gpu.worker.channel.send(&[0xff; 5], &[]).unwrap();
    assert_eq!(gpu.end().status, NO_FRAME);

    let mut gpu = nothing();
    let launch = gpu.begin(&limits(), &[], &[], &[]);
    launch.runner.send(&[0xff; 5], &[]).unwrap();
    assert_eq!(gpu.end().status, NO_FRAME);

    let mut gpu = nothing();
    let launch = gpu.begin(&limits(), &[], &[], &[]);
    let beside = [launch.runner.as_fd()];
    send(&launch.runner, &GpuCommand::Open, &beside);
    assert_eq!(gpu.end().status, NO_FRAME);
}

#[test]
fn a_launch_whose_arrays_are_not_what_is_said_ends_the_worker() {
    let sealed = SealedMemory::copy_of(&[1; 64]).unwrap();
    let open = OutputMemory::create(64).unwrap();
    let (sealed, open) = (sealed.as_fd(), open.as_fd());
    let cases: [(&[u64], &[u64], &[BorrowedFd<'_>]); 5] = [
        (&[64], &[], &[]),
        (&[], &[], &[sealed]),
        (&[60], &[], &[sealed]),
        (&[64], &[], &[open]),
        (&[], &[65], &[open]),
    ];
    for (inputs, outputs, arrays) in cases {
        let mut gpu = nothing();
        let _launch = gpu.begin(&limits(), inputs, outputs, arrays);
        assert_eq!(gpu.end().status, NO_FRAME, "{inputs:?} {outputs:?}");
    }
    let gpu = nothing();
    let request = GpuRequest {
        id: 1,
        limits: limits(),
        time_ns: 1,
        has_profile: false,
        has_text: true,
        shaders: Vec::new(),
        inputs: Vec::new(),
        outputs: Vec::new(),
    };
    send(&gpu.worker.channel, &ToGpu::Begin(Box::new(request)), &[]);
    assert_eq!(gpu.end().status, NO_FRAME, "without a channel");
}

/// Fuel that lasts.
const MUCH_FUEL: u64 = 1_000_000_000_000_000_000;
/// Long enough to be interrupted, and finite: by its many workgroups, since lavapipe ends loops after 65535 turns.
const LONG: &str = "@group(0) @binding(0) var<storage, read_write> values: array<u32>;\n\
    @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {\n\
        var x = id.x;\n\
        for (var i = 0u; i < 40000u + values[0]; i++) { x = x * 1664525u + (x >> 7u) + values[1]; }\n\
        values[2] = x;\n\
    }";

#[test]
fn a_launch_is_cancelled_while_the_device_works() {
    let Some(mut gpu) = Gpu::start("software") else {
        return;
    };
    let mut limits = limits();
    limits
        .try_set(Limit::GpuFuel, MUCH_FUEL, LimitSource::Request)
        .unwrap();
    let launch = gpu.begin(&limits, &[], &[], &[]);
    let (_, bind_set) = launch.bind(LONG, 256);
    let dispatch = GpuStep::Dispatch {
        bind_set,
        workgroups: [8192, 1, 1],
    };
    let steps = vec![dispatch];
    send(
        &launch.runner,
        &GpuCommand::Submit { steps, wait: true },
        &[],
    );
    std::thread::sleep(Duration::from_millis(200));
    let start = Instant::now();
    launch.runner.try_clone().unwrap().shutdown().unwrap();
    let (usage, end) = gpu.ended();
    assert_eq!((usage.dispatches, end), (1, Some(GpuEnd::Stopped)));
    // The device is given a second to come to rest.
    let waited = start.elapsed();
    assert!(waited < Duration::from_secs(3), "{waited:?}");
    // It did not, and there is no more use for the worker.
    assert_eq!(gpu.end().status, ExitKind::Code(0));
}

/// Starts workers, one of them in a launch, says their numbers, and waits to be killed.
#[test]
fn supervise_until_killed() {
    if std::env::var_os(SUPERVISE).is_none() {
        return;
    }
    let idle = nothing();
    let mut busy = nothing();
    let _launch = busy.begin(&limits(), &[], &[], &[]);
    let opening = command("software").spawn().unwrap();
    let _: Option<Hello> = receive(&opening.channel);
    for worker in [&idle.worker, &busy.worker, &opening] {
        println!("\nworker {}", worker.pid());
    }
    println!("\nready");
    loop {
        std::thread::park();
    }
}

#[test]
fn a_worker_dies_with_its_supervisor() {
    let mut supervisor = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "ends::supervise_until_killed", "--nocapture"])
        .env(SUPERVISE, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(supervisor.stdout.take().unwrap()).lines();
    let lines = lines
        .map_while(Result::ok)
        .take_while(|line| line != "ready");
    let workers: Vec<u32> = lines
        .filter_map(|line| line.strip_prefix("worker ")?.parse().ok())
        .collect();
    assert_eq!(workers.len(), 3);
    supervisor.kill().unwrap();
    supervisor.wait().unwrap();
    let deadline = Instant::now() + PATIENCE;
    while workers.iter().any(|pid| is_alive(*pid)) {
        assert!(Instant::now() < deadline, "orphans are left");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether a process runs: one that is dead and not reaped yet does not.
fn is_alive(pid: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return false;
    };
    let state = stat.rsplit(')').next().map(str::trim_start);
    state.is_some_and(|state| !state.starts_with(['Z', 'X']))
}

#[test]
fn settings_that_are_none_and_a_start_by_hand_are_refused() {
    for arguments in [&["--device", "every", "--data-bytes", "1"][..], &[]] {
        let mut settings = command("nothing");
        settings.arguments = arguments.iter().map(Into::into).collect();
        let worker = settings.spawn().unwrap();
        assert_eq!(receive::<FromGpu>(&worker.channel), None);
        assert_eq!(worker.wait().unwrap().status, NO_FRAME);
    }
    let by_hand = Command::new(env!("CARGO_BIN_EXE_hotcell-gpu"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(by_hand.status.code(), Some(70));
    assert!(String::from_utf8_lossy(&by_hand.stderr).starts_with("hotcell-gpu: "));
    drop(Channel::pair());
}
