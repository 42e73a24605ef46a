//! How long an array is on a device: as long as what was bound, on lavapipe.

use crate::lab::{Lab, Order, at, bytes, dispatch, fill, read_array, run, software, write};
use hotcell_gpu::device::Device;
use hotcell_model::gpu::{GpuAnswer, GpuBinding, GpuCommand, GpuError, GpuId, GpuStep, Payload};
use hotcell_model::limit::Limit;
use std::sync::{Arc, PoisonError};

/// A session that may make one kernel after the other.
fn session(device: &Arc<Device>) -> Lab {
    Order::new().limit(Limit::GpuPipelines, 256).begin(device)
}

/// Puts what `value` is of `x` into the first word of `out`.
fn asking(ty: &str, value: &str) -> String {
    format!(
        "struct Tail {{ a: u32, b: u32, tail: array<u32> }}
        struct Wide {{ a: vec4u, tail: array<u32> }}
        struct Odd {{ a: u32, b: u32, c: u32 }}
        @group(0) @binding(0) var<storage, read> x: {ty};
        @group(0) @binding(1) var<storage, read_write> out: u32;
        @compute @workgroup_size(1) fn main() {{ out = {value}; }}"
    )
}

/// What the shader says of an array that holds these bytes, or why they cannot be bound.
fn answer(lab: &mut Lab, wgsl: &str, held: &[u8]) -> Result<u32, String> {
    let (x, out) = (lab.buffer(held.len() as u64), lab.buffer(4));
    lab.done(write_buffer(x, held));
    let kernel = lab.kernel(wgsl);
    let bindings = vec![at(0, x), at(1, out)];
    let bind_set = match lab.say(GpuCommand::Bind { kernel, bindings }) {
        GpuAnswer::Created(bind_set) => bind_set,
        GpuAnswer::Refused(GpuError::Misuse(why)) => return Err(why),
        other => panic!("{other:?}"),
    };
    lab.run(vec![dispatch(bind_set, 1)]);
    let answer = lab.words(out, 1)[0];
    for thing in [bind_set, kernel, x, out] {
        lab.done(GpuCommand::Drop(thing));
    }
    Ok(answer)
}

fn write_buffer(buffer: GpuId, data: &[u8]) -> GpuCommand {
    GpuCommand::WriteBuffer {
        buffer,
        offset_bytes: 0,
        data: Payload(data.to_vec().into()),
    }
}

#[test]
fn an_array_is_as_long_as_what_was_bound() {
    let Some(device) = software() else { return };
    let mut lab = session(&device);
    for n in (1..20).chain([63, 64, 65, 255, 257]) {
        let held = vec![0xff; 4 * n];
        let length = asking("array<u32>", "arrayLength(&x)");
        let n = u32::try_from(n).unwrap();
        assert_eq!(answer(&mut lab, &length, &held), Ok(n));
        let of_tail = asking("Tail", "arrayLength(&x.tail)");
        let held = vec![0xff; 4 * (n as usize + 2)];
        assert_eq!(answer(&mut lab, &of_tail, &held), Ok(n));
    }
    assert_eq!(lab.finish().end, None);
}

/// An element's type, what is asked of the array, bytes, and the length or the numbers of the refusal.
type Case = (
    &'static str,
    &'static str,
    usize,
    Result<u32, [&'static str; 2]>,
);

#[test]
fn lengths_are_whole_elements_or_are_refused_with_both_numbers() {
    let Some(device) = software() else { return };
    let mut lab = session(&device);
    let cases: [Case; 19] = [
        // Bytes are packed in words.
        ("array<u32>", "x", 1, Ok(1)),
        ("array<u32>", "x", 5, Ok(2)),
        ("array<u32>", "x", 6, Ok(2)),
        ("array<u32>", "x", 8, Ok(2)),
        ("array<u32>", "x", 0, Err(["has 0 bytes", "at least 4"])),
        ("array<vec2f>", "x", 40, Ok(5)),
        ("array<vec2f>", "x", 4, Err(["has 4 bytes", "at least 8"])),
        (
            "array<vec2f>",
            "x",
            20,
            Err(["has 20 bytes", "element of 8"]),
        ),
        (
            "array<vec2f>",
            "x",
            17,
            Err(["has 17 bytes", "and 4 at its end"]),
        ),
        ("array<vec3f>", "x", 48, Ok(3)),
        (
            "array<vec3f>",
            "x",
            36,
            Err(["has 36 bytes", "element of 16"]),
        ),
        ("array<vec4f>", "x", 64, Ok(4)),
        (
            "array<vec4f>",
            "x",
            20,
            Err(["has 20 bytes", "element of 16"]),
        ),
        ("array<Odd>", "x", 36, Ok(3)),
        (
            "array<Odd>",
            "x",
            40,
            Err(["has 40 bytes", "and 4 at its end"]),
        ),
        ("array<mat3x3f>", "x", 96, Ok(2)),
        ("Tail", "x.tail", 8, Err(["has 8 bytes", "at least 12"])),
        ("Wide", "x.tail", 36, Ok(5)),
        ("Wide", "x.tail", 20, Err(["has 20 bytes", "at least 32"])),
    ];
    for (ty, array, len, expected) in cases {
        let wgsl = asking(ty, &format!("arrayLength(&{array})"));
        let answer = answer(&mut lab, &wgsl, &vec![0xff; len]);
        match (&answer, expected) {
            (Ok(answer), Ok(expected)) => assert_eq!(*answer, expected, "{ty} of {len} bytes"),
            (Err(why), Err(words)) => assert!(
                words.iter().all(|words| why.contains(words)),
                "{ty} of {len} bytes: {why}"
            ),
            _ => panic!("{ty} of {len} bytes: {answer:?}"),
        }
    }
    assert_eq!(lab.finish().end, None);
}

#[test]
fn what_follows_an_array_is_zero_and_is_reached_only_where_nobody_counts() {
    let Some(device) = software() else { return };
    let mut lab = session(&device);
    let cases = [
        // The last word of packed bytes.
        ("array<u32>", "x[1]", 5, Ok(0xff)),
        ("array<u32>", "x[1]", 7, Ok(0x00ff_ffff)),
        // The last vector of five numbers.
        ("array<vec4u>", "x[1].x", 20, Ok(u32::MAX)),
        ("array<vec4u>", "x[1].y + x[1].z + x[1].w", 20, Ok(0)),
        ("array<vec3u>", "x[1].y", 24, Ok(u32::MAX)),
        ("array<u32>", "x[0]", 0, Ok(0)),
        ("Tail", "x.tail[0]", 8, Ok(0)),
        ("u32", "x", 1, Ok(0xff)),
        ("vec3u", "x.z", 9, Ok(0xff)),
        (
            "array<mat3x3f>",
            "u32(x[0][0].x)",
            0,
            Err(["has 0 bytes", "take 48"]),
        ),
        (
            "array<u32, 8>",
            "x[0]",
            16,
            Err(["has 16 bytes", "at least 32"]),
        ),
    ];
    for (ty, value, len, expected) in cases {
        let answer = answer(&mut lab, &asking(ty, value), &vec![0xff; len]);
        match (&answer, expected) {
            (Ok(answer), Ok(expected)) => assert_eq!(*answer, expected, "{value} of {len} bytes"),
            (Err(why), Err::<u32, _>(words)) => assert!(
                words.iter().all(|words| why.contains(words)),
                "{value} of {len} bytes: {why}"
            ),
            _ => panic!("{value} of {len} bytes: {answer:?}"),
        }
    }
    assert_eq!(lab.finish().end, None);
}

#[test]
fn ranges_of_one_buffer_are_as_long_as_each_is() {
    const LENGTHS: &str = "
        @group(0) @binding(0) var<storage, read> a: array<u32>;
        @group(0) @binding(1) var<storage, read> b: array<vec2u>;
        @group(0) @binding(2) var<storage, read> c: array<u32>;
        @group(0) @binding(3) var<storage, read_write> out: array<u32>;
        @compute @workgroup_size(1) fn main() {
            out[0] = arrayLength(&a);
            out[1] = arrayLength(&b);
            out[2] = arrayLength(&c);
            out[3] = arrayLength(&out);
            out[4] = c[arrayLength(&c) - 1u];
        }";
    let Some(device) = software() else { return };
    let mut lab = Order::new().begin(&device);
    let (x, out) = (lab.buffer(256 + 21), lab.buffer(20));
    lab.done(write_buffer(x, &[7; 256 + 21]));
    let kernel = lab.kernel(LENGTHS);
    let part = |slot, offset_bytes, len_bytes| GpuBinding {
        offset_bytes,
        len_bytes,
        ..at(slot, x)
    };
    let bindings = vec![
        part(0, 0, Some(20)),
        part(1, 0, Some(24)),
        part(2, 256, None),
        at(3, out),
    ];
    let bind_set = lab.created(GpuCommand::Bind { kernel, bindings });
    lab.run(vec![dispatch(bind_set, 1)]);
    assert_eq!(lab.words(out, 5), [5, 3, 6, 5, 7]);
    // A range within a buffer is not completed by what follows it.
    for (binding, says) in [
        (part(1, 0, Some(20)), "and 4 at its end"),
        (part(1, 0, Some(6)), "multiple of 4"),
        (part(1, 0, Some(0)), "has 0 bytes"),
    ] {
        let bindings = vec![
            part(0, 0, Some(20)),
            binding,
            part(2, 256, None),
            at(3, out),
        ];
        let refused = lab.refused(GpuCommand::Bind { kernel, bindings });
        assert!(refused.to_string().contains(says), "{refused}");
    }
    let unmeasured = lab.kernel(&asking("array<vec4u>", "x[1].x"));
    for (binding, says) in [
        (part(0, 0, Some(20)), "take 32"),
        (part(0, 0, Some(0)), "take 16"),
    ] {
        let bindings = vec![binding, at(1, out)];
        let kernel = unmeasured;
        let refused = lab.refused(GpuCommand::Bind { kernel, bindings });
        assert!(refused.to_string().contains(says), "{refused}");
    }
    assert_eq!(lab.finish().end, None);
}

#[test]
fn bytes_that_are_no_whole_words_are_moved_whole_where_a_buffer_ends() {
    let Some(device) = software() else { return };
    for n in [1_u8, 2, 3, 5, 6, 7, 9, 255] {
        let held: Vec<u8> = (1..=n).collect();
        let len = u64::from(n);
        let (order, seen) = Order::new().input(held.clone()).output(held.len());
        let mut lab = order.begin(&device);
        let (a, b, c) = (lab.buffer(len), lab.buffer(len), lab.buffer(len));
        let copy = |source, destination| GpuStep::Copy {
            source,
            source_offset_bytes: 0,
            destination,
            destination_offset_bytes: 0,
            len_bytes: len,
        };
        let clear = GpuStep::Clear {
            buffer: a,
            offset_bytes: 0,
            len_bytes: len,
        };
        lab.run(vec![
            fill(0, a, len),
            copy(a, b),
            clear,
            write(c, 0, held.clone()),
        ]);
        lab.run(vec![read_array(0, b, len)]);
        for (buffer, expected) in [
            (a, vec![0; held.len()]),
            (b, held.clone()),
            (c, held.clone()),
        ] {
            let read = GpuCommand::ReadBuffer {
                buffer,
                offset_bytes: 0,
                len_bytes: len,
            };
            assert_eq!(lab.say(read), GpuAnswer::Bytes(Payload(expected.into())));
        }
        // The words that they are part of end in zeros.
        let mut last = held[held.len() / 4 * 4..].to_vec();
        last.resize(4, 0);
        if n % 4 != 0 {
            let word = GpuStep::Read {
                buffer: b,
                offset_bytes: len / 4 * 4,
                len_bytes: len % 4,
            };
            assert_eq!(lab.run(vec![word])[0], last[..n as usize % 4]);
        }
        assert_eq!(lab.finish().end, None);
        let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(*seen, held);
    }
}

#[test]
fn bytes_that_are_no_whole_words_are_refused_elsewhere() {
    let mut lab = Lab::nothing();
    let (a, b) = (lab.buffer(21), lab.buffer(21));
    let copy = |from, to, len| GpuStep::Copy {
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
    for step in [
        copy(0, 0, 5),
        copy(0, 16, 5),
        copy(16, 0, 5),
        copy(1, 1, 20),
        clear(0, 5),
        clear(17, 4),
        write(a, 0, vec![1; 5]),
        write(a, 20, vec![1; 3]),
    ] {
        let refused = lab.refused(run(vec![step]));
        assert!(
            refused.to_string().contains("is not a multiple of 4"),
            "{refused}"
        );
    }
    for step in [copy(0, 0, 28), clear(0, 28), write(a, 20, vec![1; 8])] {
        let refused = lab.refused(run(vec![step]));
        assert!(
            matches!(refused, GpuError::OutOfRange { size_bytes: 21, .. }),
            "{refused}"
        );
    }
    lab.run(vec![copy(16, 16, 5), clear(16, 5), write(a, 20, vec![1])]);
    let none = lab.buffer(0);
    let nothing = GpuStep::Clear {
        buffer: none,
        offset_bytes: 0,
        len_bytes: 0,
    };
    lab.run(vec![nothing, write(none, 0, Vec::new())]);
    assert_eq!(lab.finish().end, None);
}

#[test]
fn uniforms_that_hold_their_members_hold_their_structure() {
    const SUM: &str = "
        struct Parameters { a: vec3u }
        @group(0) @binding(0) var<uniform> p: Parameters;
        @group(0) @binding(1) var<storage, read_write> out: u32;
        @compute @workgroup_size(1) fn main() { out = p.a.x + p.a.y + p.a.z; }";
    let Some(device) = software() else { return };
    let mut lab = Order::new().begin(&device);
    let (x, out) = (lab.buffer(12), lab.buffer(4));
    lab.done(write_buffer(x, &bytes(&[1, 2, 3])));
    let kernel = lab.kernel(SUM);
    let bind_set = lab.bind(kernel, &[x, out]);
    lab.run(vec![dispatch(bind_set, 1)]);
    assert_eq!(lab.words(out, 1), [6]);
    let short = GpuBinding {
        len_bytes: Some(8),
        ..at(0, x)
    };
    let bindings = vec![short, at(1, out)];
    let refused = lab.refused(GpuCommand::Bind { kernel, bindings });
    assert!(
        refused.to_string().contains("has 8 bytes, at least"),
        "{refused}"
    );
    assert_eq!(lab.finish().end, None);
}
