//! What makes no sense is refused before the device hears of it, and changes nothing.

use crate::lab::{
    Lab, Order, STEP, at, create_kernel, create_named, dispatch, fill, nothing, read_array,
    read_buffer, run, write,
};
use hotcell_model::gpu::{GpuBinding, GpuCommand, GpuError, GpuId, GpuStep, Payload};

#[test]
fn a_shader_is_one_of_the_component_and_nothing_else_where_text_is_not_granted() {
    let order = Order::new().shader("step", STEP.as_bytes());
    let mut lab = order.shader("noise", b"fn \xff").begin(&nothing());
    lab.created(create_named("step"));
    lab.created(create_named("step"));
    let misuse = |why: &str| GpuError::Misuse(why.to_owned());
    assert_eq!(
        lab.refused(create_named("stop")),
        misuse("the component's section has no shader `stop` (there are: step, noise)")
    );
    let refused = lab.refused(create_named("noise")).to_string();
    assert_eq!(refused, "the text is not UTF-8 from byte 3 on");
    let ungranted = misuse("text made at run time is not granted");
    assert_eq!(lab.refused(GpuCommand::Shader(STEP.into())), ungranted);
    assert_eq!(lab.refused(create_kernel()), ungranted);
    let usage = lab.finish().usage;
    assert_eq!(usage.pipelines, 2);
    let texts = 2 * STEP.len() + b"fn \xff".len() + 3 * "main".len();
    assert_eq!(usage.shader_bytes, texts as u64);
}

/// A session with an input and an output of 6 bytes, two buffers of 1024, a kernel and a bind set.
struct Bench {
    lab: Lab,
    buffers: [GpuId; 2],
    kernel: GpuId,
    bind_set: GpuId,
}

fn bench() -> Bench {
    let (order, _) = Order::new().input(vec![7; 6]).output(6);
    let mut lab = order.begin(&nothing());
    let buffers = [lab.buffer(1024), lab.buffer(1024)];
    let kernel = lab.kernel(STEP);
    let bind_set = lab.bind(kernel, &buffers);
    Bench {
        lab,
        buffers,
        kernel,
        bind_set,
    }
}

fn is_misuse(error: &GpuError) -> bool {
    matches!(error, GpuError::Misuse(_))
}

#[test]
fn ids_that_name_nothing_or_another_kind_are_refused() {
    let Bench {
        mut lab,
        buffers: [a, _],
        kernel,
        bind_set,
    } = bench();
    let stranger = GpuId(u32::MAX);
    for wrong in [stranger, GpuId(0), kernel, bind_set] {
        for command in [
            read_buffer(wrong, 0, 4),
            run(vec![write(wrong, 0, vec![0; 4])]),
            run(vec![fill(0, wrong, 4)]),
            run(vec![read_array(0, wrong, 4)]),
            GpuCommand::Wait(wrong),
        ] {
            assert!(is_misuse(&lab.refused(command)));
        }
    }
    for command in [
        GpuCommand::Drop(stranger),
        run(vec![dispatch(a, 1)]),
        run(vec![fill(9, a, 4)]),
        run(vec![read_array(9, a, 4)]),
        GpuCommand::Bind {
            kernel: a,
            bindings: Vec::new(),
        },
    ] {
        assert!(is_misuse(&lab.refused(command)));
    }
    assert_eq!(lab.finish().end, None);
}

#[test]
fn what_was_dropped_is_gone_and_its_id_is_not_given_again() {
    let Bench {
        mut lab,
        buffers: [a, b],
        kernel,
        bind_set,
    } = bench();
    for thing in [bind_set, kernel, a] {
        lab.done(GpuCommand::Drop(thing));
        assert!(is_misuse(&lab.refused(GpuCommand::Drop(thing))));
    }
    assert!(is_misuse(&lab.refused(run(vec![dispatch(bind_set, 1)]))));
    assert!(is_misuse(&lab.refused(read_buffer(a, 0, 4))));
    let fresh = lab.buffer(64);
    assert!(![a, b, kernel, bind_set].contains(&fresh));
}

#[test]
fn a_bind_set_keeps_its_buffers() {
    let Bench {
        mut lab,
        buffers,
        kernel,
        bind_set,
    } = bench();
    for thing in [buffers[0], buffers[1], kernel] {
        lab.done(GpuCommand::Drop(thing));
    }
    lab.run(vec![dispatch(bind_set, 1)]);
    assert_eq!(lab.finish().end, None);
}

#[test]
fn ranges_that_leave_their_buffer_or_array_are_refused_with_three_numbers() {
    let Bench {
        mut lab,
        buffers: [a, b],
        ..
    } = bench();
    let copy = |from: u64, to: u64, len: u64| GpuStep::Copy {
        source: a,
        source_offset_bytes: from,
        destination: b,
        destination_offset_bytes: to,
        len_bytes: len,
    };
    let clear = |offset_bytes, len_bytes| GpuStep::Clear {
        buffer: a,
        offset_bytes,
        len_bytes,
    };
    let far = u64::MAX - 3;
    let out = |offset_bytes, len_bytes, size_bytes| GpuError::OutOfRange {
        offset_bytes,
        len_bytes,
        size_bytes,
    };
    for (command, expected) in [
        (read_buffer(a, 1020, 8), out(1020, 8, 1024)),
        (read_buffer(a, far, 8), out(far, 8, 1024)),
        (run(vec![copy(1000, 0, 28)]), out(1000, 28, 1024)),
        (run(vec![copy(0, far, 1024)]), out(far, 1024, 1024)),
        (run(vec![clear(8, 1020)]), out(8, 1020, 1024)),
        (run(vec![clear(0, far)]), out(0, far, 1024)),
        (run(vec![write(a, 1024, vec![0; 4])]), out(1024, 4, 1024)),
        (run(vec![fill(0, a, 7)]), out(0, 7, 6)),
        (run(vec![read_array(0, a, 7)]), out(0, 7, 6)),
        (
            run(vec![GpuStep::Read {
                buffer: a,
                offset_bytes: 4,
                len_bytes: 1021,
            }]),
            out(4, 1021, 1024),
        ),
    ] {
        assert_eq!(lab.refused(command), expected);
    }
    assert_eq!(lab.finish().end, None);
}

#[test]
fn what_is_not_aligned_is_refused() {
    let Bench {
        mut lab,
        buffers: [a, b],
        ..
    } = bench();
    let copy = |from: u64, to: u64, len: u64| GpuStep::Copy {
        source: a,
        source_offset_bytes: from,
        destination: b,
        destination_offset_bytes: to,
        len_bytes: len,
    };
    for command in [
        GpuCommand::CreateBuffer {
            size_bytes: u64::MAX,
        },
        GpuCommand::CreateBuffer {
            size_bytes: u64::MAX - 3,
        },
        read_buffer(a, 2, 4),
        read_buffer(a, 0, 6),
        run(vec![copy(2, 0, 4)]),
        run(vec![copy(0, 2, 4)]),
        run(vec![copy(0, 0, 2)]),
        run(vec![write(a, 0, vec![0; 3])]),
        run(vec![write(a, 2, vec![0; 4])]),
        GpuCommand::WriteBuffer {
            buffer: a,
            offset_bytes: 1,
            data: Payload(vec![0; 4].into()),
        },
    ] {
        assert!(is_misuse(&lab.refused(command)));
    }
}

#[test]
fn a_copy_within_one_buffer_and_too_many_workgroups_are_refused() {
    let Bench {
        mut lab,
        buffers: [a, _],
        bind_set,
        ..
    } = bench();
    let within = GpuStep::Copy {
        source: a,
        source_offset_bytes: 0,
        destination: a,
        destination_offset_bytes: 512,
        len_bytes: 4,
    };
    assert!(is_misuse(&lab.refused(run(vec![within]))));
    for workgroups in [[65_536, 1, 1], [1, u32::MAX, 1], [u32::MAX; 3]] {
        let step = GpuStep::Dispatch {
            bind_set,
            workgroups,
        };
        assert!(is_misuse(&lab.refused(run(vec![step]))));
    }
    let volume = GpuStep::Dispatch {
        bind_set,
        workgroups: [65_535; 3],
    };
    assert!(matches!(
        lab.refused(run(vec![volume])),
        GpuError::Limit { .. }
    ));
    let none = GpuStep::Dispatch {
        bind_set,
        workgroups: [0, 65_535, 65_535],
    };
    lab.run(vec![none]);
    assert_eq!(lab.finish().usage.invocations, 0);
}

#[test]
fn bindings_must_be_those_of_the_kernel_once_each_and_large_enough() {
    let Bench {
        mut lab,
        buffers: [a, b],
        kernel,
        ..
    } = bench();
    let tiny = lab.buffer(4);
    let with = |binding: GpuBinding| vec![at(0, a), binding];
    let part = |offset_bytes, len_bytes| GpuBinding {
        offset_bytes,
        len_bytes,
        ..at(1, b)
    };
    for bindings in [
        vec![at(0, a)],
        vec![at(0, a), at(1, b), at(1, b)],
        vec![at(0, a), at(1, b), at(2, b)],
        with(GpuBinding {
            group: 7,
            ..at(1, b)
        }),
        with(part(4, None)),
        with(part(0, Some(0))),
        with(part(0, Some(6))),
        with(part(1024, None)),
        with(at(1, GpuId(99))),
        with(at(1, a)),
    ] {
        assert!(is_misuse(
            &lab.refused(GpuCommand::Bind { kernel, bindings })
        ));
    }
    for binding in [
        part(1280, None),
        part(256, Some(1024)),
        part(256, Some(u64::MAX - 3)),
    ] {
        let bindings = with(binding);
        let refused = lab.refused(GpuCommand::Bind { kernel, bindings });
        assert!(matches!(refused, GpuError::OutOfRange { .. }), "{refused}");
    }
    for binding in [part(256, None), part(512, Some(256)), at(1, tiny)] {
        let bindings = with(binding);
        lab.created(GpuCommand::Bind { kernel, bindings });
    }
    assert_eq!(lab.finish().end, None);
}

#[test]
fn what_is_written_has_one_name_only() {
    const TWO: &str = "
        @group(0) @binding(0) var<storage, read_write> a: array<u32>;
        @group(0) @binding(1) var<storage, read_write> b: array<u32>;
        @compute @workgroup_size(1) fn main() { a[0] = 1u; b[0] = 2u; }";
    let mut lab = Lab::nothing();
    let (kernel, buffer) = (lab.kernel(TWO), lab.buffer(1024));
    let part = |slot, offset_bytes, len_bytes| GpuBinding {
        offset_bytes,
        len_bytes,
        ..at(slot, buffer)
    };
    for (first, second) in [
        (part(0, 0, None), part(1, 0, None)),
        (part(0, 0, Some(512)), part(1, 256, None)),
        (part(0, 512, None), part(1, 0, Some(516))),
    ] {
        let bindings = vec![first, second];
        assert!(is_misuse(
            &lab.refused(GpuCommand::Bind { kernel, bindings })
        ));
    }
    let bindings = vec![part(0, 0, Some(512)), part(1, 512, None)];
    let bind_set = lab.created(GpuCommand::Bind { kernel, bindings });
    lab.run(vec![dispatch(bind_set, 1)]);
    assert_eq!(lab.finish().end, None);
}

#[test]
fn a_refused_batch_is_forgotten_and_so_is_a_refused_shader() {
    let Bench {
        mut lab,
        buffers: [a, _],
        ..
    } = bench();
    lab.done(GpuCommand::Record(vec![write(a, 0, vec![1; 4])]));
    assert!(is_misuse(&lab.refused(run(vec![write(a, 2, vec![1; 4])]))));
    assert_eq!(lab.words(a, 1), [0]);
    lab.done(GpuCommand::Record(vec![write(a, 0, vec![2; 4])]));
    lab.run(Vec::new());
    assert_eq!(lab.words(a, 1), [0x0202_0202]);
    lab.done(GpuCommand::Shader("nonsense".into()));
    assert!(matches!(
        lab.refused(create_kernel()),
        GpuError::Shader { line: 1, .. }
    ));
    lab.kernel(STEP);
}

#[test]
fn batches_and_submissions_are_counted() {
    let Bench {
        mut lab,
        buffers: [a, _],
        ..
    } = bench();
    let clear = GpuStep::Clear {
        buffer: a,
        offset_bytes: 0,
        len_bytes: 0,
    };
    let half = vec![clear.clone(); 40_000];
    lab.done(GpuCommand::Record(half.clone()));
    assert!(is_misuse(&lab.refused(GpuCommand::Record(half))));
    lab.run(vec![clear]);
    let submit = || GpuCommand::Submit {
        steps: Vec::new(),
        wait: false,
    };
    let first = lab.created(submit());
    for _ in 1..1024 {
        lab.created(submit());
    }
    assert!(is_misuse(&lab.refused(submit())));
    lab.done(GpuCommand::Drop(first));
    lab.created(submit());
}
