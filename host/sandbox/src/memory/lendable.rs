//! Memory that a program works in, and lends to launches again and again without a copy.

use super::{Mapping, OutputMemory, SealedMemory};
use crate::process::PerProcess;
use rustix::fs::{Mode, OFlags, open};
use rustix::io::{pread, retry_on_intr};
use rustix::mm::{MapFlags, ProtFlags, mmap};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What `/proc/self/pagemap` has for a page: `Documentation/admin-guide/mm/pagemap.rst` of Linux.
const ENTRY_BYTES: usize = 8;
/// The page is a file's, or shared.
const OF_FILE: u64 = 1 << 61;
/// The page is swapped out, or present.
const EXISTS: u64 = (1 << 62) | (1 << 63);
/// How many entries are read at once.
const ENTRIES: usize = 4096;

/// Memory that a program works in and lends.
///
/// Once it has been lent, the pages are everybody's and nobody can change them any more: what is written afterwards goes to
/// pages of this program's own, which the operating system makes at the first write to each. It knows which these are, so that
/// memory which was not written to is lent again as it is.
#[derive(Debug)]
pub struct Lendable {
    mapping: Mapping,
    /// A fork's child knows nothing of its parent's: a thread that it has not may be lending it.
    memory: PerProcess<Mutex<Memory>>,
}

#[derive(Debug, Default)]
enum Memory {
    /// Not lent yet: what is written goes to the memory itself.
    Open(OutputMemory),
    /// What is written goes to pages of this program's own.
    Sealed(SealedMemory),
    /// It could not be sealed, since somebody else has it mapped, a fork of this program; or this program is that fork. What is lent
    /// is copied.
    #[default]
    Shared,
}

impl Lendable {
    /// Makes `len` zero bytes.
    ///
    /// # Errors
    /// The operating system has no memory, descriptors or address space left.
    pub fn create(len: u64) -> io::Result<Self> {
        let memory = OutputMemory::create(len)?;
        let mapping = memory.map()?.0;
        let memory = PerProcess::with(Mutex::new(Memory::Open(memory)));
        Ok(Self { mapping, memory })
    }

    /// Works in memory that is sealed: nobody else sees what is written.
    ///
    /// # Errors
    /// The operating system has no address space left.
    pub fn of(memory: SealedMemory) -> io::Result<Self> {
        let own = ProtFlags::READ | ProtFlags::WRITE;
        let mapping = Mapping::new(&memory.file, memory.len, own, MapFlags::PRIVATE)?;
        let memory = PerProcess::with(Mutex::new(Memory::Sealed(memory)));
        Ok(Self { mapping, memory })
    }

    /// Where it begins. It is readable and writable while this lives.
    pub fn as_ptr(&self) -> NonNull<u8> {
        self.mapping.start
    }

    /// Its size in bytes.
    #[expect(clippy::len_without_is_empty, reason = "emptiness is of no interest")]
    pub fn len(&self) -> usize {
        self.mapping.len
    }

    /// Has everything that is written from now on go to pages of this program's own: before a fork, whose child would otherwise
    /// write where this program reads.
    ///
    /// # Errors
    /// The operating system has no address space left; then all is as it was.
    pub fn settle(&self) -> io::Result<()> {
        self.settled(&mut self.locked())
    }

    fn locked(&self) -> MutexGuard<'_, Memory> {
        let memory = self.memory.get().lock();
        memory.unwrap_or_else(PoisonError::into_inner)
    }

    fn settled(&self, memory: &mut Memory) -> io::Result<()> {
        let Memory::Open(open) = &*memory else {
            return Ok(());
        };
        self.make_private(open)?;
        let Memory::Open(open) = std::mem::replace(memory, Memory::Shared) else {
            unreachable!("it was a moment ago")
        };
        if let Ok(sealed) = open.seal() {
            *memory = Memory::Sealed(sealed);
        }
        Ok(())
    }

    /// What is in it now, sealed: without a copy, unless it has been lent before and written to since.
    ///
    /// # Errors
    /// The operating system has no memory or descriptors left.
    ///
    /// # Safety
    /// Nobody writes to it meanwhile.
    pub unsafe fn lend(&self) -> io::Result<SealedMemory> {
        let mut memory = self.locked();
        self.settled(&mut memory)?;
        match &*memory {
            Memory::Sealed(sealed) if !self.is_changed() => sealed.try_clone(),
            // SAFETY: the mapping is readable for its length, and by the caller's word nobody writes to it.
            _ => SealedMemory::copy_of(unsafe {
                std::slice::from_raw_parts(self.mapping.start.as_ptr(), self.mapping.len)
            }),
        }
    }

    /// Has what is written from now on go to pages of this program's own.
    fn make_private(&self, memory: &OutputMemory) -> io::Result<()> {
        if self.mapping.len == 0 {
            return Ok(());
        }
        let own = ProtFlags::READ | ProtFlags::WRITE;
        let flags = MapFlags::PRIVATE | MapFlags::FIXED;
        let start = self.mapping.start.as_ptr().cast();
        // SAFETY: the range is this mapping's own, and is replaced at once by the same bytes, as readable and writable as
        // they were.
        unsafe { mmap(start, self.mapping.len, own, flags, memory.as_fd(), 0)? };
        Ok(())
    }

    /// Whether any page is this program's own; where that cannot be known, it is.
    fn is_changed(&self) -> bool {
        self.has_own_pages().unwrap_or(true)
    }

    fn has_own_pages(&self) -> io::Result<bool> {
        let page = rustix::param::page_size();
        let first = self.mapping.start.as_ptr() as usize / page;
        let mut left = self.mapping.len.div_ceil(page);
        let mut at = (first * ENTRY_BYTES) as u64;
        let pagemap: OwnedFd = open(
            "/proc/self/pagemap",
            OFlags::RDONLY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        let mut entries = vec![0; left.min(ENTRIES) * ENTRY_BYTES];
        while left > 0 {
            let wanted = left.min(ENTRIES) * ENTRY_BYTES;
            let read = retry_on_intr(|| pread(&pagemap, &mut entries[..wanted], at))?;
            let (whole, _) = entries[..read].as_chunks::<ENTRY_BYTES>();
            if whole.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let is_own = |entry: &[u8; ENTRY_BYTES]| {
                let entry = u64::from_ne_bytes(*entry);
                entry & EXISTS != 0 && entry & OF_FILE == 0
            };
            if whole.iter().any(is_own) {
                return Ok(true);
            }
            left -= whole.len();
            at += (whole.len() * ENTRY_BYTES) as u64;
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::fstat;

    const LEN: usize = 3 << 20;

    fn write(memory: &Lendable, at: usize, byte: u8) {
        assert!(at < memory.len());
        // SAFETY: it is inside, and this is the only thread that looks.
        unsafe { memory.as_ptr().add(at).write(byte) };
    }

    fn lent(memory: &Lendable) -> SealedMemory {
        // SAFETY: nobody writes to it.
        unsafe { memory.lend() }.unwrap()
    }

    fn inode(memory: &SealedMemory) -> u64 {
        fstat(&memory.file).unwrap().st_ino
    }

    #[test]
    fn what_was_not_written_to_is_lent_again_as_it_is() {
        let memory = Lendable::create(LEN as u64).unwrap();
        write(&memory, 0, 1);
        write(&memory, LEN - 1, 2);
        let first = lent(&memory);
        assert_eq!(inode(&first), inode(&lent(&memory)));
        let bytes = first.map().unwrap();
        assert_eq!((bytes[0], bytes[1], bytes[LEN - 1]), (1, 0, 2));
    }

    #[test]
    fn what_is_written_afterwards_changes_nothing_that_was_lent() {
        let memory = Lendable::create(LEN as u64).unwrap();
        let first = lent(&memory);
        write(&memory, LEN / 2, 7);
        let second = lent(&memory);
        assert_ne!(inode(&first), inode(&second));
        assert_eq!(first.map().unwrap()[LEN / 2], 0);
        assert_eq!(second.map().unwrap()[LEN / 2], 7);
    }

    #[test]
    fn sealed_memory_can_be_worked_in() {
        let sealed = SealedMemory::copy_of(&vec![3; LEN]).unwrap();
        let memory = Lendable::of(sealed.try_clone().unwrap()).unwrap();
        assert_eq!(inode(&lent(&memory)), inode(&sealed));
        write(&memory, 5, 9);
        assert_eq!(lent(&memory).map().unwrap()[5], 9);
        assert_eq!(sealed.map().unwrap()[5], 3);
    }

    #[test]
    fn memory_that_somebody_else_can_write_to_is_copied() {
        let memory = Lendable::create(LEN as u64).unwrap();
        let other = match &*memory.locked() {
            Memory::Open(open) => open.map().unwrap(),
            _ => panic!("it was not lent"),
        };
        write(&memory, 1, 4);
        let (first, second) = (lent(&memory), lent(&memory));
        assert_ne!(inode(&first), inode(&second));
        assert_eq!(second.map().unwrap()[1], 4);
        drop(other);
    }

    #[test]
    fn what_is_settled_is_nobody_elses() {
        let memory = Lendable::create(LEN as u64).unwrap();
        write(&memory, 3, 1);
        memory.settle().unwrap();
        let first = lent(&memory);
        write(&memory, 3, 2);
        assert_eq!(first.map().unwrap()[3], 1);
        memory.settle().unwrap();
        assert_eq!(lent(&memory).map().unwrap()[3], 2);
    }

    #[test]
    fn nothing_can_be_lent_too() {
        let memory = Lendable::create(0).unwrap();
        assert_eq!(lent(&memory).len(), 0);
    }
}
