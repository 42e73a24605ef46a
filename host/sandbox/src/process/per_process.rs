//! What each process has for itself, a fork's child too.

use super::ProcessIdentity;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// A value that each process has for itself, made when it is first asked for.
///
/// A fork's child has one thread and all of its parent's memory: a lock that another thread held is held there for ever. So
/// what this process's threads share behind a lock is in one of these: the child finds a new value, and its
/// parent's is left where it is, neither looked at nor dropped.
#[derive(Debug)]
pub struct PerProcess<T>(AtomicPtr<Place<T>>);

#[derive(Debug)]
struct Place<T> {
    process: ProcessIdentity,
    value: T,
}

// SAFETY: the value is reached by reference from any thread, and dropped by whichever drops this.
unsafe impl<T: Send> Send for PerProcess<T> {}
// SAFETY: a thread may make the value that another one gets a reference to, or drops.
unsafe impl<T: Send + Sync> Sync for PerProcess<T> {}

impl<T> PerProcess<T> {
    /// One that nobody has asked yet.
    pub const fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    /// One that has a value in this process.
    pub fn with(value: T) -> Self {
        Self(AtomicPtr::new(Place::make(value)))
    }

    fn found(&self) -> (*mut Place<T>, Option<&T>) {
        let found = self.0.load(Ordering::Acquire);
        // SAFETY: it is null, or came out of a box that is freed with this, or never.
        let place = unsafe { found.as_ref() };
        let own = place.filter(|place| place.process == ProcessIdentity::own());
        (found, own.map(|place| &place.value))
    }
}

impl<T: Default> PerProcess<T> {
    /// This process's value.
    pub fn get(&self) -> &T {
        let (found, own) = self.found();
        if let Some(own) = own {
            return own;
        }
        let made = Place::make(T::default());
        let stored = self
            .0
            .compare_exchange(found, made, Ordering::AcqRel, Ordering::Acquire);
        let place = stored.map_or_else(
            |theirs| {
                // SAFETY: it came out of a box, and nobody has seen it.
                drop(unsafe { Box::from_raw(made) });
                theirs
            },
            |_| made,
        );
        // SAFETY: it came out of a box that is freed with this, or never, and it was made by a thread of this process.
        &unsafe { &*place }.value
    }
}

impl<T> Place<T> {
    fn make(value: T) -> *mut Self {
        let process = ProcessIdentity::own();
        Box::into_raw(Box::new(Self { process, value }))
    }
}

impl<T: Default> Default for PerProcess<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Drop for PerProcess<T> {
    fn drop(&mut self) {
        let (place, own) = self.found();
        if own.is_some() {
            // SAFETY: it came out of a box, and nobody has it any more.
            drop(unsafe { Box::from_raw(place) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{Pid, WaitOptions, waitpid};
    use std::sync::{Mutex, mpsc};
    use std::time::Duration;

    #[test]
    fn a_value_is_made_once() {
        let own = PerProcess::<Mutex<u32>>::new();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| *own.get().lock().unwrap() += 1);
            }
        });
        assert_eq!(*own.get().lock().unwrap(), 8);
        assert_eq!(*PerProcess::with(5).get(), 5);
    }

    #[test]
    fn a_forks_child_has_its_own_though_a_thread_had_its_parents_locked() {
        static OWN: PerProcess<Mutex<u32>> = PerProcess::new();
        let (locked, is_locked) = mpsc::channel();
        let (done, is_done) = mpsc::channel::<()>();
        let holder = std::thread::spawn(move || {
            let mut own = OWN.get().lock().unwrap();
            *own = 7;
            locked.send(()).unwrap();
            is_done.recv().unwrap();
        });
        is_locked.recv().unwrap();
        // SAFETY: the child takes a lock that nobody has and ends; it allocates, which the C library has forks be able to.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let is_new = *OWN.get().lock().unwrap() == 0;
            // SAFETY: it ends the child without what the parent has registered for its own end.
            unsafe { libc::_exit(i32::from(!is_new)) };
        }
        let child = Pid::from_raw(child).unwrap();
        let mut ended = None;
        for _ in 0..1000 {
            ended = waitpid(Some(child), WaitOptions::NOHANG).unwrap();
            if ended.is_some() {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        done.send(()).unwrap();
        holder.join().unwrap();
        let (_, status) = ended.expect("the child waits for a lock");
        assert_eq!(status.exit_status(), Some(0));
        assert_eq!(*OWN.get().lock().unwrap(), 7);
    }
}
