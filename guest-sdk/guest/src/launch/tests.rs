//! Launches against a host made of vectors that writes down what it is asked.

use super::*;
use crate::abi::entries::{self, Destination, Dimension, Source, Text};
use crate::element::bytes_of;
use crate::entry::Scalar;
use crate::error::LaunchError;
use crate::heap::{PAGE, PAGED_FROM};
use crate::prelude::*;
use std::cell::RefCell;

#[kernel(sig = "(n),(n)->(n)", split = "n")]
fn saxpy(a: f32, x: &[f32], y: &[f32], out: &mut [f32]) {
    for ((out, x), y) in out.iter_mut().zip(x).zip(y) {
        *out = a * x + y;
    }
}

#[kernel(sig = "(h,w,3),(k)->(h,w,3),(h)", inout = "image")]
fn shapes(
    h: usize,
    mut image: ViewMut3<u8>,
    flags: &[bool],
    k: usize,
    mut rows: ViewMut1<u64>,
) -> Result<(), String> {
    if flags.iter().all(|flag| !flag) {
        return Err(format!("none of {k} flags is set"));
    }
    for i in 0..h {
        image[[i, 0, 2]] += 1;
        rows[[i]] = i as u64;
    }
    Ok(())
}

#[kernel(sig = "(n)->(n)", split = "n")]
fn streamed(chunk: Chunk, x: Chunks<f64>, mut out: ChunksMut<f64>) {
    let mut at = 0;
    for block in x.blocks(3) {
        let shifted: Vec<f64> = block.iter().map(|x| x + chunk.start as f64).collect();
        out.write(at, &shifted);
        at += shifted.len();
    }
}

#[kernel(sig = "(n)->()")]
fn any(x: Chunks<bool>, out: &mut [u8]) {
    out[0] = x.blocks(2).any(|block| block.contains(&true)).into();
}

#[kernel(sig = "(n)->(n)")]
fn reversed(mut x: ChunksInOut<u16>) {
    let len = x.len();
    for at in 0..len {
        let element = x.input().block(at..at + 1)[0];
        x.output().write(len - 1 - at, &[element]);
    }
}

crate::export!(saxpy, shapes, streamed, any, reversed);

thread_local! {
    /// The arrays of this test's hosts, by handle, and what was asked of them.
    static ARRAYS: RefCell<Vec<Array>> = const { RefCell::new(Vec::new()) };
    static LOG: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// An array of the host's.
struct Array {
    name: &'static str,
    bytes: Vec<u8>,
}

impl Input {
    pub(crate) fn size_bytes(self) -> u64 {
        with(self.0, |array| array.bytes.len() as u64)
    }

    pub(crate) fn read(self, offset_bytes: u64, len_bytes: u32) -> Vec<u8> {
        with(self.0, |array| {
            array.note("read", offset_bytes, len_bytes as usize);
            let start = usize::try_from(offset_bytes).unwrap();
            array.bytes[start..start + len_bytes as usize].to_vec()
        })
    }

    pub(crate) fn release(self) {
        with(self.0, |array| say(format!("give back {}", array.name)));
    }
}

impl Output {
    pub(crate) fn size_bytes(self) -> u64 {
        with(self.0, |array| array.bytes.len() as u64)
    }

    pub(crate) fn buffer(self, len_bytes: u32) -> Vec<u8> {
        with(self.0, |array| {
            array.note("buffer", 0, len_bytes as usize);
            vec![0; len_bytes as usize]
        })
    }

    pub(crate) fn write(self, offset_bytes: u64, bytes: &[u8]) {
        with(self.0, |array| {
            array.note("write", offset_bytes, bytes.len());
            let start = usize::try_from(offset_bytes).unwrap();
            array.bytes[start..start + bytes.len()].copy_from_slice(bytes);
        });
    }
}

fn with<T>(handle: u32, f: impl FnOnce(&mut Array) -> T) -> T {
    ARRAYS.with_borrow_mut(|arrays| f(&mut arrays[handle as usize]))
}

fn say(line: String) {
    LOG.with_borrow_mut(|log| log.push(line));
}

fn said() -> Vec<String> {
    LOG.with_borrow(Vec::clone)
}

impl Array {
    fn note(&self, what: &str, offset: u64, len: usize) {
        say(format!("{what} {} {offset}+{len}", self.name));
    }
}

/// The arguments of one launch; owns what a request borrows.
#[derive(Default)]
struct Host {
    dims: Vec<(&'static str, u64)>,
    scalars: Vec<(&'static str, Scalar)>,
    /// By name and handle.
    sources: Vec<(&'static str, u32)>,
    destinations: Vec<(&'static str, u32)>,
    chunk: [u64; 3],
}

impl Host {
    fn new(dims: &[(&'static str, u64)]) -> Self {
        LOG.take();
        Self {
            dims: dims.to_vec(),
            chunk: [0, 1, 1],
            ..Self::default()
        }
    }

    fn scalar(mut self, name: &'static str, value: impl Into<Scalar>) -> Self {
        self.scalars.push((name, value.into()));
        self
    }

    fn source<T: Element>(mut self, name: &'static str, elements: &[T]) -> Self {
        let bytes = bytes_of(elements).to_vec();
        self.sources.push((name, add(name, bytes)));
        self
    }

    fn destination(mut self, name: &'static str, len_bytes: usize) -> Self {
        let handle = add(name, vec![0; len_bytes]);
        self.destinations.push((name, handle));
        self
    }

    fn launch(&self, entry: &str) -> Result<(), LaunchError> {
        let dims = self.dims.iter().map(|&(name, extent)| Dimension {
            name: Text::new(name),
            extent,
        });
        let scalars = self.scalars.iter().map(|(name, value)| entries::Scalar {
            name: Text::new(name),
            tag: value.kind() as u8,
            bits: value.to_bits(),
        });
        let sources = self.sources.iter().map(|&(name, handle)| Source {
            name: Text::new(name),
            data: Input(handle),
        });
        let destinations = self.destinations.iter().map(|&(name, handle)| Destination {
            name: Text::new(name),
            data: Output(handle),
        });
        let request = Request {
            entry,
            dims: &dims.collect::<Vec<_>>(),
            scalars: &scalars.collect::<Vec<_>>(),
            sources: &sources.collect::<Vec<_>>(),
            destinations: &destinations.collect::<Vec<_>>(),
            chunk: self.chunk,
        };
        Ok(run(HOTCELL_ENTRIES, &request)?)
    }

    /// The name and reason of the refusal.
    fn refusal(&self, entry: &str) -> (String, String) {
        match self.launch(entry) {
            Err(LaunchError::BadArgument { name, reason }) => (name, reason),
            other => panic!("{other:?} is no bad argument"),
        }
    }

    fn written<T: Element>(&self, at: usize) -> Vec<T> {
        let bytes = with(self.destinations[at].1, |array| array.bytes.clone());
        Block::<T>::new(bytes.into()).unwrap().to_vec()
    }
}

/// A new array's handle.
fn add(name: &'static str, bytes: Vec<u8>) -> u32 {
    ARRAYS.with_borrow_mut(|arrays| {
        arrays.push(Array { name, bytes });
        u32::try_from(arrays.len() - 1).unwrap()
    })
}

fn saxpy_host() -> Host {
    Host::new(&[("n", 3)])
        .scalar("a", 2.0_f32)
        .source("x", &[1.0_f32, 2.0, 3.0])
        .source("y", &[10.0_f32, 20.0, 30.0])
        .destination("out", 12)
}

#[test]
fn inputs_are_read_once_then_outputs_are_written_once() {
    let host = saxpy_host();
    host.launch("saxpy").unwrap();
    assert_eq!(host.written::<f32>(0), [12.0, 24.0, 36.0]);
    let log = said();
    let expected = [
        "read x 0+12",
        "give back x",
        "read y 0+12",
        "give back y",
        "write out 0+12",
    ];
    assert_eq!(log, expected);
}

#[test]
fn large_outputs_are_filled_in_the_hosts_memory_and_small_ones_are_not() {
    let n = PAGED_FROM / 4;
    for (n, calls) in [
        (n, vec!["buffer out", "read x", "write out"]),
        (n - 1, vec!["read x", "write out"]),
    ] {
        let host = Host::new(&[("n", n as u64)])
            .scalar("a", 1.0_f32)
            .source("x", &vec![2.0_f32; n])
            .source("y", &vec![1.0_f32; n])
            .destination("out", 4 * n);
        host.launch("saxpy").unwrap();
        assert_eq!(host.written::<f32>(0), vec![3.0; n]);
        let log = said();
        let seen = log.iter().filter(|line| !line.contains(" y"));
        let seen: Vec<_> = seen.filter(|line| !line.contains("give")).collect();
        assert_eq!(seen.len(), calls.len(), "{seen:?}");
        for (seen, wanted) in seen.iter().zip(calls) {
            assert_eq!(**seen, format!("{wanted} 0+{}", 4 * n));
        }
    }
}

#[test]
fn a_large_in_out_array_is_copied_into_the_hosts_memory_in_small_reads() {
    let len = 3 * PAGED_FROM;
    let given: Vec<u8> = (0..=250).cycle().take(len).collect();
    let host = Host::new(&[("h", 1), ("w", len as u64 / 3), ("k", 1)])
        .source("flags", &[true])
        .source("image", &given)
        .destination("image", len)
        .destination("rows", 8);
    host.launch("shapes").unwrap();
    let written = host.written::<u8>(0);
    assert_eq!((written[2], &written[3..]), (given[2] + 1, &given[3..]));
    let log = said();
    assert_eq!(log[0], format!("buffer image 0+{len}"));
    let reads: Vec<&String> = log
        .iter()
        .filter(|line| line.starts_with("read image"))
        .collect();
    assert_eq!(reads.len(), len.div_ceil(PAGED_FROM - PAGE));
    let (last, after) = (log.len() - 2, &log[1 + reads.len()]);
    assert_eq!(
        (after.as_str(), log[last].as_str()),
        ("give back image", format!("write image 0+{len}").as_str())
    );
}

#[test]
fn in_out_arrays_fixed_dimensions_and_extents_arrive() {
    let host = Host::new(&[("k", 2), ("w", 2), ("h", 2)])
        .source("flags", &[false, true])
        .source("image", &[7_u8; 12])
        .destination("image", 12)
        .destination("rows", 16);
    host.launch("shapes").unwrap();
    let image = host.written::<u8>(0);
    assert_eq!(image, [7, 7, 8, 7, 7, 7, 7, 7, 8, 7, 7, 7]);
    assert_eq!(host.written::<u64>(1), [0, 1]);
}

#[test]
fn a_kernels_failure_writes_nothing() {
    let host = Host::new(&[("h", 1), ("w", 1), ("k", 1)])
        .source("flags", &[false])
        .source("image", &[7_u8; 3])
        .destination("image", 3)
        .destination("rows", 8);
    let message = "none of 1 flags is set".to_owned();
    assert_eq!(host.launch("shapes"), Err(LaunchError::Failed(message)));
    assert_eq!(
        said(),
        [
            "read image 0+3",
            "give back image",
            "read flags 0+1",
            "give back flags"
        ]
    );
}

#[test]
fn streams_read_and_write_by_ranges_and_know_their_chunk() {
    let mut host = Host::new(&[("n", 5)])
        .source("x", &[1.0, 2.0, 3.0, 4.0, 5.0_f64])
        .destination("out", 40);
    host.chunk = [100, 5, 1000];
    host.launch("streamed").unwrap();
    assert_eq!(host.written::<f64>(0), [101.0, 102.0, 103.0, 104.0, 105.0]);
    let log = said();
    let expected = [
        "read x 0+24",
        "write out 0+24",
        "read x 24+16",
        "write out 24+16",
    ];
    assert_eq!(log, expected);
}

#[test]
fn the_input_of_a_streamed_in_out_array_stays_while_its_output_is_written() {
    let host = Host::new(&[("n", 3)])
        .source("x", &[1_u16, 2, 3])
        .destination("x", 6);
    host.launch("reversed").unwrap();
    assert_eq!(host.written::<u16>(0), [3, 2, 1]);
    assert_eq!(said().len(), 6);
}

#[test]
fn empty_arrays_are_launched() {
    let host = Host::new(&[("n", 0)])
        .scalar("a", 1.0_f32)
        .source::<f32>("x", &[])
        .source::<f32>("y", &[])
        .destination("out", 0);
    host.launch("saxpy").unwrap();
}

#[test]
fn unknown_entries_are_named() {
    let error = saxpy_host().launch("axpy").unwrap_err();
    assert_eq!(error, LaunchError::UnknownEntry("axpy".into()));
}

#[test]
fn each_bad_argument_is_named_before_anything_is_read() {
    type Change = fn(&mut Host);
    let cases: [(Change, &str, &str); 13] = [
        (|h| h.dims.clear(), "n", "missing"),
        (|h| h.dims.push(("m", 1)), "m", "no such argument"),
        (|h| h.dims.push(("n", 3)), "n", "given twice"),
        (|h| h.scalars.clear(), "a", "missing"),
        (
            |h| h.scalars[0].1 = Scalar::F64(1.0),
            "a",
            "of type f64, but it is f32",
        ),
        (|h| h.scalars[0].0 = "b", "b", "no such argument"),
        (|h| h.sources.truncate(1), "y", "missing"),
        (|h| h.sources[0].0 = "z", "z", "no such argument"),
        (|h| h.sources[0].0 = "out", "out", "no such argument"),
        (|h| h.destinations.clear(), "out", "missing"),
        (|h| h.destinations[0].0 = "x", "x", "no such argument"),
        (
            |h| with(h.destinations[0].1, |array| array.bytes.push(0)),
            "out",
            "13 bytes, but 3 elements of f32",
        ),
        (
            |h| h.dims[0].1 = u64::MAX,
            "x",
            "larger than the address space",
        ),
    ];
    for (change, name, reason) in cases {
        let mut host = saxpy_host();
        change(&mut host);
        let (found, text) = host.refusal("saxpy");
        assert_eq!(found, name, "{text}");
        assert!(text.contains(reason), "{text}");
        assert!(said().is_empty(), "{name} was found after {:?}", said());
    }
}

#[test]
fn an_input_of_the_wrong_size_is_refused() {
    let host = saxpy_host();
    with(host.sources[1].1, |array| array.bytes.pop());
    let (name, reason) = host.refusal("saxpy");
    assert_eq!(name, "y");
    assert_eq!(reason, "11 bytes, but 3 elements of f32 are expected");
}

#[test]
fn a_byte_that_is_no_bool_is_refused_with_its_position() {
    let host = Host::new(&[("h", 1), ("w", 1), ("k", 3)])
        .source("flags", &[1_u8, 0, 2])
        .source("image", &[0_u8; 3])
        .destination("image", 3)
        .destination("rows", 8);
    let (name, reason) = host.refusal("shapes");
    assert_eq!(
        (name.as_str(), reason.as_str()),
        ("flags", "byte 2 is 2, not 0 or 1")
    );
}

#[test]
fn streamed_bools_are_read_as_bools() {
    let host = Host::new(&[("n", 5)])
        .source("x", &[0_u8, 0, 0, 0, 1])
        .destination("out", 1);
    host.launch("any").unwrap();
    assert_eq!(host.written::<u8>(0), [1]);
}

#[test]
#[should_panic(expected = "elements 2..4 of `x` are not bool values")]
fn a_streamed_byte_that_is_no_bool_is_a_panic() {
    let host = Host::new(&[("n", 5)])
        .source("x", &[0_u8, 0, 0, 7, 1])
        .destination("out", 1);
    let _ = host.launch("any");
}
