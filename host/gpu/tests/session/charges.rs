//! What is charged, with both numbers where it does not fit.

use crate::lab::{Lab, Order, STEP, create_kernel, dispatch, nothing, read_buffer, run, write};
use hotcell_model::gpu::{GpuAnswer, GpuCommand, GpuError, GpuId, GpuStep};
use hotcell_model::limit::Limit;

fn passed(limit: Limit, requested: u64, maximum: u64) -> GpuError {
    GpuError::Limit {
        limit,
        requested,
        maximum,
    }
}

/// A session with one limit, and a kernel bound to two buffers of 256 bytes.
fn bound(limit: Limit, value: u64) -> (Lab, GpuId, [GpuId; 2], GpuId) {
    let mut lab = Order::new().limit(limit, value).begin(&nothing());
    let buffers = [lab.buffer(256), lab.buffer(256)];
    let kernel = lab.kernel(STEP);
    let bind_set = lab.bind(kernel, &buffers);
    (lab, kernel, buffers, bind_set)
}

#[test]
fn bytes_are_charged_before_they_are_given_and_released_when_the_device_is_done() {
    let mut lab = Order::new().limit(Limit::GpuBytes, 1024).begin(&nothing());
    // A buffer takes whole blocks of 16 bytes.
    let first = lab.buffer(1000);
    let more = GpuCommand::CreateBuffer { size_bytes: 17 };
    assert_eq!(
        lab.refused(more.clone()),
        passed(Limit::GpuBytes, 1008 + 32, 1024)
    );
    lab.done(GpuCommand::Drop(first));
    lab.created(more);
    assert_eq!(lab.finish().usage.peak_bytes, 1008);
}

#[test]
fn a_buffer_in_use_is_waited_for_where_its_bytes_are_wanted() {
    let mut lab = Order::new()
        .limit(Limit::GpuBytes, 40_960)
        .begin(&nothing());
    let first = lab.buffer(8192);
    let clear = GpuStep::Clear {
        buffer: first,
        offset_bytes: 0,
        len_bytes: 8192,
    };
    lab.created(GpuCommand::Submit {
        steps: vec![clear],
        wait: false,
    });
    lab.done(GpuCommand::Drop(first));
    lab.buffer(40_960);
}

#[test]
fn staging_counts_and_so_does_what_is_recorded_or_read() {
    let mut lab = Order::new().limit(Limit::GpuBytes, 8192).begin(&nothing());
    let buffer = lab.buffer(4096);
    let put = run(vec![write(buffer, 0, vec![1; 4])]);
    let staging = 2 * 4096;
    assert_eq!(
        lab.refused(put),
        passed(Limit::GpuBytes, 4096 + staging, 8192)
    );
    let read = read_buffer(buffer, 0, 4096);
    assert_eq!(
        lab.refused(read),
        passed(Limit::GpuBytes, 4096 + staging + 4096, 8192)
    );
    let carried = vec![
        write(buffer, 0, vec![1; 4096]),
        write(buffer, 0, vec![1; 4]),
    ];
    assert_eq!(
        lab.refused(GpuCommand::Record(carried)),
        passed(Limit::GpuBytes, 8196, 8192)
    );
    assert_eq!(lab.finish().usage.peak_bytes, 4096);
}

#[test]
fn counts_are_refused_at_their_limits() {
    let (mut lab, ..) = bound(Limit::GpuBuffers, 2);
    let buffer = GpuCommand::CreateBuffer { size_bytes: 4 };
    assert_eq!(lab.refused(buffer), passed(Limit::GpuBuffers, 3, 2));

    let (mut lab, ..) = bound(Limit::GpuPipelines, 1);
    lab.done(GpuCommand::Shader(STEP.into()));
    assert_eq!(
        lab.refused(create_kernel()),
        passed(Limit::GpuPipelines, 2, 1)
    );

    let (mut lab, kernel, buffers, _) = bound(Limit::GpuBindSets, 1);
    let bindings = vec![crate::lab::at(0, buffers[0]), crate::lab::at(1, buffers[1])];
    let bind = GpuCommand::Bind { kernel, bindings };
    assert_eq!(lab.refused(bind), passed(Limit::GpuBindSets, 2, 1));

    let (mut lab, _, _, bind_set) = bound(Limit::GpuDispatches, 2);
    let three = run(vec![dispatch(bind_set, 1); 3]);
    assert_eq!(lab.refused(three), passed(Limit::GpuDispatches, 3, 2));
    lab.run(vec![dispatch(bind_set, 1); 2]);
    let one = run(vec![dispatch(bind_set, 1)]);
    assert_eq!(lab.refused(one), passed(Limit::GpuDispatches, 3, 2));

    let (mut lab, _, _, bind_set) = bound(Limit::GpuInvocations, 640);
    let many = run(vec![dispatch(bind_set, 11)]);
    assert_eq!(lab.refused(many), passed(Limit::GpuInvocations, 704, 640));
    lab.run(vec![dispatch(bind_set, 10)]);
    assert_eq!(lab.finish().usage.invocations, 640);
}

#[test]
fn shader_text_is_charged_as_it_comes_and_forgotten_where_it_does_not_fit() {
    let limit = STEP.len() as u64 + 6;
    let mut lab = Order::new()
        .limit(Limit::GpuShaderBytes, limit)
        .begin(&nothing());
    lab.done(GpuCommand::Shader(" ".repeat(8)));
    let error = lab.refused(GpuCommand::Shader(STEP.into()));
    assert_eq!(error, passed(Limit::GpuShaderBytes, limit + 2, limit));
    lab.kernel(STEP);
    lab.done(GpuCommand::Shader("fn".into()));
    assert!(matches!(
        lab.refused(create_kernel()),
        GpuError::Limit { .. }
    ));
    assert_eq!(lab.finish().usage.shader_bytes, STEP.len() as u64 + 4);
}

#[test]
fn a_batch_beyond_the_fuel_is_refused_whole_and_static_fuel_is_exact() {
    let (mut lab, _, _, bind_set) = bound(Limit::GpuFuel, 1_000_000);
    let Refusal { requested, .. } = Refusal::of(lab.refused(run(vec![dispatch(bind_set, 60_000)])));
    let buffers = 2 * (4096 + 64);
    let of_one = requested / (60_000 * 64);
    assert_eq!(requested, buffers + of_one * 60_000 * 64);
    lab.run(vec![dispatch(bind_set, 2), dispatch(bind_set, 3)]);
    let usage = lab.finish().usage;
    assert_eq!(usage.fuel_static, buffers + of_one * 5 * 64);
    assert_eq!((usage.dispatches, usage.invocations), (2, 5 * 64));
    assert!(!usage.is_fuel_exhausted);
}

#[test]
fn what_moves_or_clears_bytes_costs_a_step_and_its_words_before_it_is_done() {
    let (mut lab, _, [a, b], _) = bound(Limit::GpuFuel, 100_000);
    let (clear, copy) = (4096 + 64, 4096 + 2 * 64);
    let mut used = 2 * clear;
    let steps = vec![
        clear_all(a),
        copy_all(a, b),
        write(a, 0, vec![1; 256]),
        read_all(a),
    ];
    lab.run(steps);
    used += clear + 3 * copy;
    lab.done(GpuCommand::WriteBuffer {
        buffer: a,
        offset_bytes: 0,
        data: Default::default(),
    });
    used += 4096;
    let refused = lab.refused(run(vec![clear_all(a); 20]));
    assert_eq!(refused, passed(Limit::GpuFuel, used + 20 * clear, 100_000));
    let large = GpuCommand::CreateBuffer {
        size_bytes: 4 << 20,
    };
    let refused = lab.refused(large);
    let requested = used + 4096 + (1 << 20);
    assert_eq!(refused, passed(Limit::GpuFuel, requested, 100_000));
    let usage = lab.finish().usage;
    assert_eq!((usage.fuel_static, usage.fuel_bound), (used, used));
}

#[test]
fn a_batch_of_as_many_clears_as_there_can_be_is_refused_before_one_is_done() {
    let mut lab = Lab::nothing();
    let large = lab.buffer(64 << 20);
    let clear = GpuStep::Clear {
        buffer: large,
        offset_bytes: 0,
        len_bytes: 64 << 20,
    };
    let Refusal { requested, .. } = Refusal::of(lab.refused(run(vec![clear; 1 << 16])));
    assert_eq!(requested, ((1 << 16) + 1) * (4096 + (16 << 20)));
}

#[test]
fn limits_are_lowered_and_never_raised() {
    let mut lab = Lab::nothing();
    let lower = |limit, value| GpuCommand::LowerLimit { limit, value };
    lab.done(lower(Limit::GpuBytes, 100));
    let raised = lab.refused(lower(Limit::GpuBytes, 101));
    assert_eq!(raised, passed(Limit::GpuBytes, 101, 100));
    let buffer = GpuCommand::CreateBuffer { size_bytes: 104 };
    assert_eq!(lab.refused(buffer), passed(Limit::GpuBytes, 112, 100));
    assert!(matches!(
        lab.refused(lower(Limit::Memory, 1)),
        GpuError::Misuse(_)
    ));
}

#[test]
fn a_kernel_from_the_cache_counts_like_a_new_one() {
    let mut lab = Lab::nothing();
    let (first, second) = (lab.kernel(STEP), lab.kernel(STEP));
    assert_ne!(first, second);
    let usage = lab.finish().usage;
    assert_eq!(usage.pipelines, 2);
    assert_eq!(usage.shader_bytes, 2 * (STEP.len() as u64 + 4));
}

#[test]
fn a_launch_is_told_what_its_own_limits_leave_of_the_device() {
    let mut lab = Order::new()
        .limit(Limit::GpuWorkgroupBytes, 1024)
        .begin(&nothing());
    match lab.say(GpuCommand::Open) {
        GpuAnswer::Properties(properties) => assert_eq!(properties.max_workgroup_bytes, 1024),
        other => panic!("{other:?}"),
    }
}

/// The steps that use the first 256 bytes.
fn clear_all(buffer: GpuId) -> GpuStep {
    GpuStep::Clear {
        buffer,
        offset_bytes: 0,
        len_bytes: 256,
    }
}

fn copy_all(source: GpuId, destination: GpuId) -> GpuStep {
    GpuStep::Copy {
        source,
        source_offset_bytes: 0,
        destination,
        destination_offset_bytes: 0,
        len_bytes: 256,
    }
}

fn read_all(buffer: GpuId) -> GpuStep {
    GpuStep::Read {
        buffer,
        offset_bytes: 0,
        len_bytes: 256,
    }
}

struct Refusal {
    requested: u64,
}

impl Refusal {
    fn of(error: GpuError) -> Self {
        match error {
            GpuError::Limit { requested, .. } => Self { requested },
            other => panic!("{other:?}"),
        }
    }
}
