//! System calls that a guarded process was refused: answered with an error, and noted where the supervisor can read it.
//!
//! What is noted is a claim: the process can write there as it likes.

use super::{LockStep, LockdownError};
use crate::memory::{OutputMemory, Writable};
use hotcell_model::layer::Layer;
use std::ffi::{c_int, c_void};
use std::io;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

/// How many are kept, the last ones.
const KEPT: u32 = 60;
/// What the kernel sends, and Python has no handler for.
const SIGNAL: c_int = libc::SIGSYS;
/// Why the kernel sends it.
const SYS_SECCOMP: c_int = 1;

/// What the memory holds: how many there were, and the numbers of the last ones.
#[repr(C)]
struct Notes {
    count: AtomicU32,
    reserved: [u32; 3],
    calls: [AtomicU32; KEPT as usize],
}

/// Memory where refused calls are noted.
#[derive(Debug)]
pub struct Refusals(OutputMemory);

/// The proof that this process notes what it is refused.
#[derive(Debug)]
pub struct Noting(());

/// A call that was refused: a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The call's number.
    pub number: u32,
}

/// Where this process notes them.
static NOTES: AtomicPtr<Notes> = AtomicPtr::new(ptr::null_mut());

impl Refusals {
    /// Its size.
    pub const BYTES: u64 = size_of::<Notes>() as u64;

    /// Memory that has none noted.
    ///
    /// # Errors
    /// The operating system has no memory or descriptors left.
    pub fn create() -> io::Result<Self> {
        OutputMemory::create(Self::BYTES).map(Self)
    }

    /// Memory that the supervisor made.
    ///
    /// # Errors
    /// It is of another size.
    pub fn adopt(file: std::os::fd::OwnedFd) -> io::Result<Self> {
        OutputMemory::adopt(file, Self::BYTES).map(Self)
    }

    /// Its descriptor.
    pub fn as_memory(&self) -> &OutputMemory {
        &self.0
    }

    /// How many were noted so far, and of those since `before` the last ones, each once.
    ///
    /// # Errors
    /// The operating system refuses to read.
    pub fn since(&self, before: u32) -> io::Result<(u32, Vec<Refusal>)> {
        let mut bytes = [0; size_of::<Notes>()];
        self.0.peek(&mut bytes)?;
        let word = |at: usize| {
            let mut word = [0; 4];
            word.copy_from_slice(&bytes[4 * at..4 * at + 4]);
            u32::from_ne_bytes(word)
        };
        let count = word(0);
        let fresh = count.wrapping_sub(before).min(KEPT);
        let mut calls: Vec<Refusal> = (0..fresh)
            .map(|back| count.wrapping_sub(1).wrapping_sub(back) % KEPT)
            .map(|place| Refusal {
                number: word(4 + place as usize),
            })
            .collect();
        calls.reverse();
        let mut once: Vec<Refusal> = Vec::new();
        calls.retain(|call| {
            let is_new = !once.contains(call);
            once.push(*call);
            is_new
        });
        Ok((count, calls))
    }

    /// Has this process note them there. The descriptor is not needed any more then.
    ///
    /// # Errors
    /// The operating system refuses.
    pub fn install(self) -> Result<Noting, LockdownError> {
        let mapped = self
            .0
            .map()
            .step(Layer::Filter, "map the memory for refusals")?;
        NOTES.store(mapped.as_ptr().as_ptr().cast(), Ordering::Release);
        // It stays for as long as the process does.
        std::mem::forget::<Writable>(mapped);
        // SAFETY: all zeros is a value of the structure: no flags, an empty mask.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        let handler: extern "C" fn(c_int, *const libc::siginfo_t, *mut c_void) = note;
        action.sa_sigaction = handler as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_NODEFER | libc::SA_ONSTACK;
        // SAFETY: the handler changes nothing but the notes and the interrupted call's result.
        match unsafe { libc::sigaction(SIGNAL, &raw const action, ptr::null_mut()) } {
            0 => Ok(Noting(())),
            _ => Err(io::Error::last_os_error())
                .step(Layer::Filter, "install the handler of refusals"),
        }
    }
}

/// Notes a call, and has it answered with "not permitted".
extern "C" fn note(_signal: c_int, info: *const libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel hands a handler with `SA_SIGINFO` a valid structure.
    if unsafe { (*info).si_code } != SYS_SECCOMP {
        return;
    }
    // SAFETY: as above; for this code the structure has the call's number there: `si_call_addr`, and then it.
    let number = unsafe {
        const OFFSET: usize = 16 + size_of::<usize>();
        info.cast::<u8>().add(OFFSET).cast::<u32>().read()
    };
    // SAFETY: it is null, or the mapping that stays for as long as the process does.
    if let Some(notes) = unsafe { NOTES.load(Ordering::Acquire).as_ref() } {
        let at = notes.count.fetch_add(1, Ordering::Relaxed);
        notes.calls[(at % KEPT) as usize].store(number, Ordering::Relaxed);
    }
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the kernel hands a handler with `SA_SIGINFO` the context that it returns to, whose accumulator is the call's result.
    unsafe {
        let context = &mut *context.cast::<libc::ucontext_t>();
        context.uc_mcontext.gregs[libc::REG_RAX as usize] = i64::from(-libc::EPERM);
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = context;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_since_then_are_told_once_each() {
        let refusals = Refusals::create().unwrap();
        let mut mapped = refusals.0.map().unwrap();
        let set = |mapped: &mut Writable, word: usize, value: u32| {
            mapped.as_mut()[4 * word..4 * word + 4].copy_from_slice(&value.to_ne_bytes());
        };
        assert_eq!(refusals.since(0).unwrap(), (0, Vec::new()));
        for (place, number) in [41, 59, 41].into_iter().enumerate() {
            set(&mut mapped, 4 + place, number);
        }
        set(&mut mapped, 0, 3);
        let numbers = |before| {
            let (_, calls) = refusals.since(before).unwrap();
            calls
                .into_iter()
                .map(|call| call.number)
                .collect::<Vec<_>>()
        };
        assert_eq!(numbers(0), [41, 59]);
        assert_eq!(numbers(2), [41]);
        assert_eq!(numbers(3), [] as [u32; 0]);
        // Whatever a hostile process writes.
        set(&mut mapped, 0, u32::MAX);
        assert!(numbers(5).len() <= KEPT as usize);
    }
}
