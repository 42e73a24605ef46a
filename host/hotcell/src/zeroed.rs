//! Memory for outputs, kept ready: zeroing fresh pages is most of what an output costs.
//!
//! What is taken twice in a short time is made once more in the background, so that a program that launches one kernel
//! after the other finds its next output zeroed. It holds nothing of anybody's, and so is nobody's until it is taken. A
//! program that launches once pays nothing; one that stops launching has everything given back to the operating
//! system after [`IDLE`], and never more than [`MOST_BYTES`] are ready.

use hotcell_sandbox::memory::OutputMemory;
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The most bytes that are kept ready, over all sizes.
pub(crate) const MOST_BYTES: u64 = 256 << 20;
/// Smaller outputs are zeroed in less time than somebody else is asked to do it.
const LEAST_BYTES: u64 = 1 << 20;
/// How long ready memory waits for a launch, and how long a size is remembered.
const IDLE: Duration = Duration::from_secs(5);
/// The most sizes that are remembered.
const MOST_SIZES: usize = 16;

/// Zeroed memory of a cell, of the sizes that its launches have asked for.
#[derive(Default)]
pub(crate) struct ZeroedMemory {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<Stock>,
    /// Told of a wish, and of the end.
    told: Condvar,
}

#[derive(Default)]
struct Stock {
    /// Oldest first.
    ready: Vec<OutputMemory>,
    /// Sizes that are to be made.
    wanted: VecDeque<u64>,
    /// Sizes that were taken, and when.
    taken: VecDeque<(u64, Instant)>,
    has_thread: bool,
    is_over: bool,
}

impl ZeroedMemory {
    /// Takes memory of `len` zeros for one output.
    ///
    /// # Errors
    /// As [`OutputMemory::create`].
    pub(crate) fn take(&self, len: u64) -> io::Result<OutputMemory> {
        if !(LEAST_BYTES..=MOST_BYTES / 2).contains(&len) {
            return OutputMemory::create(len);
        }
        let mut stock = self.shared.lock();
        let at = stock.ready.iter().position(|memory| memory.len() == len);
        let memory = at.map(|at| stock.ready.remove(at));
        if stock.note_taken(len, Instant::now()) {
            stock.wanted.push_back(len);
            self.fill(&mut stock);
        }
        drop(stock);
        memory.map_or_else(|| OutputMemory::create(len), Ok)
    }

    /// Has somebody fill the stock.
    fn fill(&self, stock: &mut Stock) {
        if stock.has_thread {
            self.shared.told.notify_all();
            return;
        }
        let shared = Arc::clone(&self.shared);
        let thread = std::thread::Builder::new().name("hotcell-zeroes".to_owned());
        // Without the thread there is less speed, and nothing else.
        match thread.spawn(move || shared.serve()) {
            Ok(_) => stock.has_thread = true,
            Err(_) => stock.wanted.clear(),
        }
    }
}

impl Drop for ZeroedMemory {
    fn drop(&mut self) {
        self.shared.lock().is_over = true;
        self.shared.told.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Stock> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes what is wanted, until nothing has been for a while.
    fn serve(&self) {
        let mut stock = self.lock();
        loop {
            let Some(len) = stock.wanted.pop_front() else {
                let waited = self.told.wait_timeout_while(stock, IDLE, |stock| {
                    stock.wanted.is_empty() && !stock.is_over
                });
                stock = waited.unwrap_or_else(PoisonError::into_inner).0;
                if stock.is_over || stock.wanted.is_empty() {
                    break;
                }
                continue;
            };
            drop(stock);
            let made = OutputMemory::create(len).and_then(|memory| {
                memory.populate()?;
                Ok(memory)
            });
            stock = self.lock();
            if let Ok(memory) = made {
                stock.put(memory);
            }
        }
        stock.ready.clear();
        stock.has_thread = false;
    }
}

impl Stock {
    /// Notes that a size was taken; whether it had been a short time before.
    fn note_taken(&mut self, len: u64, now: Instant) -> bool {
        self.taken
            .retain(|(_, when)| now.duration_since(*when) < IDLE);
        let before = self.taken.iter().position(|(taken, _)| *taken == len);
        if let Some(before) = before {
            self.taken.remove(before);
        }
        if self.taken.len() == MOST_SIZES {
            self.taken.pop_front();
        }
        self.taken.push_back((len, now));
        before.is_some()
    }

    /// Keeps memory ready; the oldest goes where there would be too much.
    fn put(&mut self, memory: OutputMemory) {
        while !self.ready.is_empty() && self.bytes() + memory.len() > MOST_BYTES {
            self.ready.remove(0);
        }
        self.ready.push(memory);
    }

    fn bytes(&self) -> u64 {
        self.ready.iter().map(OutputMemory::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEN: u64 = LEAST_BYTES;

    fn memory(len: u64) -> OutputMemory {
        OutputMemory::create(len).unwrap()
    }

    #[test]
    fn what_is_taken_again_is_made_once_more() {
        let zeroed = ZeroedMemory::default();
        assert_eq!(zeroed.take(LEN).unwrap().len(), LEN);
        assert!(zeroed.shared.lock().wanted.is_empty());
        assert!(!zeroed.shared.lock().has_thread);
        zeroed.take(LEN).unwrap();
        while zeroed.shared.lock().ready.is_empty() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let mut bytes = vec![1; 1 << 20];
        zeroed.take(LEN).unwrap().peek(&mut bytes).unwrap();
        assert!(bytes.iter().all(|byte| *byte == 0));
    }

    #[test]
    fn no_more_than_the_bound_is_ready_and_the_oldest_goes() {
        let mut stock = Stock::default();
        for len in [1, 2, 3] {
            stock.put(memory(MOST_BYTES / 2 - len));
        }
        let lens: Vec<u64> = stock.ready.iter().map(OutputMemory::len).collect();
        assert_eq!(lens, [MOST_BYTES / 2 - 2, MOST_BYTES / 2 - 3]);
    }

    #[test]
    fn sizes_are_forgotten_after_a_while_and_when_there_are_many() {
        let (mut stock, now) = (Stock::default(), Instant::now());
        assert!(!stock.note_taken(LEN, now));
        assert!(stock.note_taken(LEN, now));
        assert!(!stock.note_taken(LEN, now + IDLE));
        for other in 1..=MOST_SIZES as u64 {
            stock.note_taken(LEN + other, now + IDLE);
        }
        assert!(!stock.note_taken(LEN, now + IDLE));
    }

    #[test]
    fn small_and_huge_outputs_are_made_when_they_are_needed() {
        let zeroed = ZeroedMemory::default();
        for len in [LEN - 1, LEN - 1, MOST_BYTES, MOST_BYTES] {
            zeroed.take(len).unwrap();
        }
        assert!(zeroed.shared.lock().taken.is_empty());
    }
}
