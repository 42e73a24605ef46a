//! Looks at guests while they run: where is the time going?
//!
//! A guest asks for its epoch's callback once a tick at most, where a function begins or a loop goes round, whether anybody
//! samples or not. With sampling on, that is also when its stack is taken: no thread, no signal and no system call more, and
//! nothing that the guest or its fuel could tell. Stacks that were seen before cost a walk over frame pointers and a look
//! into a table. Where there is debug information the engine reads it anew each time, which takes milliseconds: a launch
//! whose looks take long is looked at less often.

use crate::end::trace;
use crate::meter::CpuClock;
use crate::ticker::TICK;
use hotcell_model::samples::{SAMPLING_TICK, SampleCount, Samples};
use hotcell_model::time::nanoseconds;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use wasmtime::{StoreContextMut, WasmBacktrace};

/// Stacks, told apart by where in the code each function stood, that are remembered with their place.
const REMEMBERED: usize = 2048;
/// After a look that took long the launch is not looked at for so many times as long.
const PAUSE: u32 = 9;

const _: () = assert!(SAMPLING_TICK.as_nanos() == TICK.as_nanos());

/// The stacks of one launch's chunks.
pub(crate) struct Sampler {
    period: Duration,
    begun: Instant,
    /// Until when nobody looks, in nanoseconds from the beginning.
    resumes_ns: AtomicU64,
    found: Mutex<Found>,
}

struct Found {
    samples: Samples,
    /// Where a stack is counted: naming its functions anew each time would cost more than all the rest.
    places: HashMap<Box<[CodePlace]>, Option<usize>>,
    hasher: RandomState,
}

/// Where in the code a function stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct CodePlace {
    /// Of a component's core modules each has a function of that number.
    name: u64,
    function: u32,
    offset: u32,
}

impl Sampler {
    pub(crate) fn every(period: Duration) -> Self {
        let period = period.max(TICK);
        let found = Found {
            samples: Samples::every(period),
            places: HashMap::new(),
            hasher: RandomState::new(),
        };
        Self {
            period,
            begun: Instant::now(),
            resumes_ns: AtomicU64::new(0),
            found: Mutex::new(found),
        }
    }

    /// What was found so far; nothing is left.
    pub(crate) fn take(&self) -> Samples {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.places.clear();
        std::mem::replace(&mut found.samples, Samples::every(self.period))
    }

    fn is_paused(&self) -> bool {
        nanoseconds(self.begun.elapsed()) < self.resumes_ns.load(Ordering::Relaxed)
    }

    /// Notes what a look took. One that is cheap holds off none of another thread's at the same tick.
    fn note_cost(&self, cost: Duration) {
        let pause = cost * PAUSE;
        if pause > self.period {
            let resumes = nanoseconds(self.begun.elapsed() + pause);
            self.resumes_ns.fetch_max(resumes, Ordering::Relaxed);
        }
    }

    fn add(&self, backtrace: &WasmBacktrace, cpu_ns: u64) {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.add(backtrace, SampleCount { samples: 1, cpu_ns });
    }
}

impl Found {
    fn add(&mut self, backtrace: &WasmBacktrace, count: SampleCount) {
        let places: Box<[CodePlace]> = backtrace
            .frames()
            .iter()
            .map(|frame| CodePlace {
                name: self.hasher.hash_one(frame.func_name()),
                function: frame.func_index(),
                offset: frame
                    .func_offset()
                    .and_then(|offset| u32::try_from(offset).ok())
                    .unwrap_or(u32::MAX),
            })
            .collect();
        let place = match self.places.get(&places) {
            Some(place) => *place,
            None if self.places.len() >= REMEMBERED => None,
            None => {
                let (stack, is_cut) = trace::stack(backtrace);
                let place = self.samples.place(&stack, is_cut);
                self.places.insert(places, place);
                place
            }
        };
        self.samples.count(place, count);
    }
}

/// A chunk's part in the sampling of its launch.
pub(crate) struct Sampling {
    sampler: Arc<Sampler>,
    /// When the chunk is looked at next.
    next: Instant,
    /// The thread's clock since the last look.
    cpu: CpuClock,
}

impl Sampling {
    /// For a chunk that begins now, on this thread.
    pub(crate) fn begin(sampler: &Arc<Sampler>) -> Self {
        Self {
            next: Instant::now() + sampler.period,
            cpu: CpuClock::start(),
            sampler: Arc::clone(sampler),
        }
    }

    /// Looks at the guest, if it is time. To be called where its epoch calls back; `part` is where its store keeps this.
    pub(crate) fn look<T>(
        context: &mut StoreContextMut<'_, T>,
        part: fn(&mut T) -> &mut Option<Self>,
    ) {
        // A tick that was heard late does not make the next one early.
        let is_due = |sampling: &Self| {
            Instant::now() + TICK / 2 >= sampling.next && !sampling.sampler.is_paused()
        };
        let Some(mut sampling) = part(context.data_mut()).take_if(|it| is_due(it)) else {
            return;
        };
        let cpu_ns = sampling.cpu.lap_ns();
        let backtrace = WasmBacktrace::force_capture(&*context);
        sampling.sampler.add(&backtrace, cpu_ns);
        let cost = Duration::from_nanos(sampling.cpu.lap_ns());
        sampling.sampler.note_cost(cost);
        sampling.next = Instant::now() + sampling.sampler.period;
        *part(context.data_mut()) = Some(sampling);
    }
}
