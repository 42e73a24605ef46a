//! One launch as a runner sees it: everything checked, nothing left to look up.

use crate::bounded;
use crate::files::FileLink;
use crate::forecast::Warning;
use crate::gpu::{GpuLink, NamedShader};
use crate::grant::Grants;
use crate::limit::Limits;
use crate::outcome::Outcome;
use crate::report::{LogLine, Timings, Usage};
use crate::samples::Samples;
use bytes::Bytes;
use hotcell_manifest::ScalarValue;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::sync::Arc;

/// The most arrays that travel inside a frame: more than a signature has room for.
pub const INLINE_ARRAYS: usize = 1024;

/// The unit in which memory is mapped, in bytes, on every machine that kernels run on.
pub const PAGE_BYTES: usize = 4096;
/// Ranges of arrays from this size on, in bytes, are mapped into a guest's memory where they can be, unless told
/// otherwise: below, a copy costs less.
pub const MAP_FROM_BYTES: usize = 256 << 10;

/// What a runner needs besides the arrays' bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// The entry to run.
    pub entry: String,
    /// Every named dimension with its extent over the whole launch, in the manifest's order.
    pub dims: Vec<(String, u64)>,
    /// Every scalar, in the manifest's order.
    pub scalars: Vec<(String, ScalarValue)>,
    /// Every array, in the manifest's order.
    pub arrays: Vec<JobArray>,
    /// How the work is cut.
    pub split: Option<Split>,
    /// The limits in force.
    pub limits: Limits,
    /// The capabilities granted.
    pub grants: Grants,
    /// The seed of `random`, if there is one.
    pub seed: Option<u64>,
    /// How many chunks may run at once; at least 1.
    pub threads: usize,
    /// How long a guest that polls `should-stop` has between a cancel and the interrupt. A timeout
    /// asks that long before the deadline.
    pub stop_grace: std::time::Duration,
    /// Whether the fuel of every GPU dispatch is counted, which costs time.
    pub has_gpu_profile: bool,
    /// How often the guest's stack is looked at, if it is: the time between two looks at a chunk.
    pub sample_every: Option<std::time::Duration>,
}

/// One array of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobArray {
    /// The parameter's name.
    pub name: String,
    /// Whether the guest gets it as a source.
    pub is_read: bool,
    /// Whether the guest gets it as a destination.
    pub is_written: bool,
    /// The size of the whole array in bytes.
    pub size_bytes: u64,
    /// Bytes per index of the split dimension, where the array has it; else every chunk gets the
    /// whole.
    pub split_stride_bytes: Option<u64>,
    /// How many indices of the split dimension a chunk gets on either side of its own, where there are
    /// any: only of an array that is read, not written, and has the dimension.
    pub halo: u64,
}

/// How a launch is cut into chunks: a function of shapes and manifest alone, never of the machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// The position of the split dimension in [`Job::dims`].
    pub dim: usize,
    /// Where each chunk begins, and where the last one ends; ascending, from 0 to the extent.
    pub bounds: Vec<u64>,
}

impl Split {
    /// The most chunks that a launch is cut into.
    pub const MAX_CHUNKS: u64 = 16;
    /// The arithmetic operations a chunk should at least have, so that an instance pays for itself.
    pub const OPERATIONS_PER_CHUNK: u64 = 1 << 22;

    /// A cut is moved to where pages begin if chunks are so many times larger than what it moves by.
    const PAGES_PER_CHUNK: u64 = 8;

    /// Cuts `extent` indices that take `operations` in all into nearly equal chunks.
    ///
    /// `strides` has the bytes per index of each array that is cut. Chunks of many pages begin with one in each of them,
    /// so that they can be mapped.
    pub fn cut(
        dim: usize,
        extent: u64,
        operations: u64,
        strides: impl IntoIterator<Item = u64>,
    ) -> Self {
        let wanted = operations / Self::OPERATIONS_PER_CHUNK;
        let chunks = wanted.min(Self::MAX_CHUNKS).min(extent).max(1);
        // Each is a power of two, so the largest is a multiple of all.
        let page = strides.into_iter().map(indices_per_page).max().unwrap_or(1);
        let step = match extent / chunks / page >= Self::PAGES_PER_CHUNK {
            true => page,
            false => 1,
        };
        let bound = |chunk: u64| {
            // In u128: the product can pass 2^64.
            let scaled = u128::from(extent) * u128::from(chunk) / u128::from(chunks);
            let bound = u64::try_from(scaled).unwrap_or(extent);
            match bound == extent {
                true => extent,
                false => bound / step * step,
            }
        };
        Self {
            dim,
            bounds: (0..=chunks).map(bound).collect(),
        }
    }

    /// One chunk: nothing is cut.
    pub fn whole(dim: usize, extent: u64) -> Self {
        Self {
            dim,
            bounds: vec![0, extent],
        }
    }

    /// The number of chunks; at least 1.
    pub fn chunks(&self) -> usize {
        self.bounds.len() - 1
    }
}

/// The fewest indices whose bytes are whole pages.
fn indices_per_page(stride_bytes: u64) -> u64 {
    let zeros = stride_bytes.trailing_zeros();
    PAGE_BYTES as u64 >> zeros.min(PAGE_BYTES.trailing_zeros())
}

/// Where an input's bytes come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// Memory that the host owns.
    Memory(Bytes),
    /// Sealed memory that others can map: nobody can change it any more, nor its size. Whoever gets such a source
    /// from elsewhere checks that before it maps the file.
    Sealed {
        /// The memory as a file, of exactly the array's size.
        file: Arc<File>,
        /// The same memory, mapped.
        bytes: Bytes,
    },
    /// A range of an open file, read when the guest asks: for arrays larger than memory.
    File {
        /// The file; only positioned reads are made.
        file: Arc<File>,
        /// Where the array begins in it.
        offset_bytes: u64,
        /// The array's size.
        len_bytes: u64,
    },
}

impl Source {
    /// The size in bytes.
    pub fn len_bytes(&self) -> u64 {
        match self {
            Self::Memory(bytes) | Self::Sealed { bytes, .. } => bytes.len() as u64,
            Self::File { len_bytes, .. } => *len_bytes,
        }
    }
}

/// The bytes that belong to a [`Job`].
#[derive(Default)]
pub struct JobData {
    /// The sources of the arrays that are read, in the job's order.
    pub sources: Vec<Source>,
    /// The shaders of the component, if the kernel may have a GPU.
    pub shaders: Vec<NamedShader>,
    /// Where GPU commands go, if the kernel may have any.
    pub gpu: Option<Arc<dyn GpuLink>>,
    /// Who does the kernel's file work, if it may have any.
    pub files: Option<Arc<dyn FileLink>>,
}

/// How a run ended and what it used, with its outputs as they are held where it is told: by whatever ran the guest,
/// between two processes, and by the supervisor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound(deserialize = "O: Deserialize<'de>"))]
pub struct RunEnd<O> {
    /// How it ended.
    pub outcome: Outcome,
    /// What it used.
    pub usage: Usage,
    /// Where the time went, as far as whoever tells it knows.
    pub timings: Timings,
    /// The guest's log lines. Between processes they come before the end, one by one.
    #[serde(deserialize_with = "bounded::list::<_, _, 0>")]
    pub log: Vec<LogLine>,
    /// Where the guest's time went, if that was asked for. Between processes it comes before the end.
    #[serde(skip)]
    pub samples: Option<Box<Samples>>,
    /// The arrays that were written, in the job's order; empty unless the outcome keeps them.
    #[serde(deserialize_with = "bounded::list::<_, _, INLINE_ARRAYS>")]
    pub outputs: Vec<O>,
}

impl<O> RunEnd<O> {
    /// The end of a launch that did not get to run.
    pub fn not_run(outcome: Outcome) -> Self {
        Self {
            outcome,
            usage: Usage::default(),
            timings: Timings::default(),
            log: Vec::new(),
            samples: None,
            outputs: Vec::new(),
        }
    }

    /// The same end, its outputs held in another way.
    pub fn map_outputs<P>(self, map: impl FnOnce(Vec<O>) -> Vec<P>) -> RunEnd<P> {
        RunEnd {
            outcome: self.outcome,
            usage: self.usage,
            timings: self.timings,
            log: self.log,
            samples: self.samples,
            outputs: map(self.outputs),
        }
    }

    /// Puts another end in the place of its own: what came out is discarded.
    pub fn overrule(&mut self, outcome: Outcome) {
        self.outputs.clear();
        self.outcome = outcome;
    }
}

/// Hears of a running launch what its user may want to see at once.
pub trait Observer: Send + Sync {
    /// The launch was permitted, and begins to be prepared and run within those limits.
    fn begin(&self, _limits: &Limits) {}

    /// It begins although it is expected to reach a limit.
    fn warn(&self, _warning: &Warning) {}

    /// The guest logged a line; it is escaped and within the launch's limits.
    fn log(&self, _line: &LogLine) {}

    /// The guest says that `done` of `total` is done, in units of its own, over all chunks.
    fn progress(&self, _done: u64, _total: u64) {}
}

impl Observer for () {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_cover_the_axis_without_gap_or_overlap() {
        for (extent, operations) in [
            (0, 0),
            (1, u64::MAX),
            (7, u64::MAX),
            (1000, 1 << 24),
            (u64::MAX, u64::MAX),
        ] {
            let split = Split::cut(0, extent, operations, [4]);
            assert_eq!(split.bounds[0], 0);
            assert_eq!(split.bounds.last(), Some(&extent));
            assert!(split.bounds.is_sorted());
            assert!(
                split.chunks() <= 16
                    && (extent == 0 || split.bounds.windows(2).all(|w| w[0] < w[1]))
            );
        }
    }

    #[test]
    fn large_chunks_begin_where_pages_do_in_every_array() {
        let third = |extent, strides: &[u64]| {
            let operations = Split::OPERATIONS_PER_CHUNK * 3;
            Split::cut(0, extent, operations, strides.iter().copied()).bounds[1]
        };
        assert_eq!(third(1_000_000, &[4]), 333_333 / 1024 * 1024);
        assert_eq!(third(1_000_000, &[1, 8, 12]), 333_333 / 4096 * 4096);
        // What is a page already, what is small, and what has no bytes is cut as it comes.
        assert_eq!(third(1_000, &[8192]), 333);
        assert_eq!(third(20_000, &[4]), 6_666);
        assert_eq!(third(1_000, &[0]), 333);
        assert_eq!(third(1_000, &[]), 333);
    }

    #[test]
    fn small_work_is_not_cut() {
        assert_eq!(
            Split::cut(0, 1 << 20, Split::OPERATIONS_PER_CHUNK * 2 - 1, []).chunks(),
            1
        );
        assert_eq!(
            Split::cut(0, 1 << 20, Split::OPERATIONS_PER_CHUNK * 2, []).chunks(),
            2
        );
    }

    #[test]
    fn a_job_crosses_unchanged() {
        let job = Job {
            entry: "k".into(),
            dims: vec![("n".into(), 7)],
            scalars: vec![
                ("a".into(), ScalarValue::F32(f32::INFINITY)),
                ("b".into(), ScalarValue::F64(-0.0)),
            ],
            arrays: vec![JobArray {
                name: "x".into(),
                is_read: true,
                is_written: false,
                size_bytes: 28,
                split_stride_bytes: Some(4),
                halo: 2,
            }],
            split: Some(Split {
                dim: 0,
                bounds: vec![0, 3, 7],
            }),
            limits: Limits::defaults(Default::default()),
            grants: Grants::built_in(),
            seed: Some(9),
            threads: 2,
            stop_grace: std::time::Duration::from_millis(100),
            has_gpu_profile: false,
            sample_every: Some(std::time::Duration::from_millis(1)),
        };
        let bytes = postcard::to_stdvec(&job).unwrap();
        let crossed: Job = postcard::from_bytes(&bytes).unwrap();
        // Who chose the limits stays behind.
        let limits = job.limits.clone();
        assert_eq!(Job { limits, ..crossed }, job);
    }
}
