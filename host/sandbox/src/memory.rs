//! Memory that the supervisor and a worker share, and the seals that make it safe to read.
//!
//! The supervisor makes every one. What a worker reads is sealed against everything before it is handed over;
//! what a worker writes ([`OutputMemory`]) is sealed against a change of size at birth, and against writing
//! before the supervisor reads a byte: a worker that still has it mapped then is found out by the refusal.

mod lendable;

pub use lendable::Lendable;

use rustix::fs::{
    MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, fstat, ftruncate, memfd_create,
};
use rustix::io::Errno;
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap, munmap};
use rustix::process::{Resource, getrlimit};
use std::io;
use std::ops::Deref;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::time::Duration;

/// How many zeros are written at once: few enough to stay in a core's own cache.
const ZEROS_BYTES: usize = 64 << 10;
/// From here on, large pages pay.
const HUGE_PAGE_BYTES: usize = 2 << 20;

/// How often memory is tried to be sealed that somebody seems to have mapped, and how long after.
const SEALED_AGAIN: usize = 4;
const SEALED_AFTER: Duration = Duration::from_millis(10);

/// The size is fixed.
const FIXED_SIZE: SealFlags = SealFlags::GROW.union(SealFlags::SHRINK);
/// Size and contents are fixed, and so are the seals.
const FROZEN: SealFlags = FIXED_SIZE.union(SealFlags::WRITE).union(SealFlags::SEAL);

/// Memory that one worker writes and the supervisor reads afterwards.
#[derive(Debug)]
pub struct OutputMemory {
    file: OwnedFd,
    len: usize,
}

/// Memory that nobody can change any more.
#[derive(Debug)]
pub struct SealedMemory {
    file: OwnedFd,
    len: usize,
}

/// Why memory was not sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// Somebody has it mapped for writing.
    #[error("the memory is still mapped for writing")]
    StillMapped,
    /// Somebody has sealed it against seals, so that this one cannot be put on.
    #[error("the memory was sealed against the seal")]
    Forestalled,
    /// The operating system refused for another reason.
    #[error("the memory could not be sealed")]
    Io(#[source] io::Error),
}

impl OutputMemory {
    /// Makes `len` zero bytes.
    ///
    /// # Errors
    /// The operating system has no memory or descriptors left; [`io::ErrorKind::FileTooLarge`] where it is more than
    /// this process may have in a file, as which shared memory counts.
    pub fn create(len: u64) -> io::Result<Self> {
        check_file_size(len)?;
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let file = match memfd_create(c"hotcell", flags | MemfdFlags::NOEXEC_SEAL) {
            // Before Linux 6.3 there is no such flag. What it forbids, executing the file, no worker can.
            Err(Errno::INVAL) => memfd_create(c"hotcell", flags)?,
            file => file?,
        };
        ftruncate(&file, len)?;
        fcntl_add_seals(&file, FIXED_SIZE)?;
        Ok(Self {
            file,
            len: to_usize(len)?,
        })
    }

    /// Takes over memory that a worker was handed.
    ///
    /// # Errors
    /// It is not `len` bytes of memory whose size is fixed.
    pub fn adopt(file: OwnedFd, len: u64) -> io::Result<Self> {
        check(&file, len, FIXED_SIZE)?;
        Ok(Self {
            file,
            len: to_usize(len)?,
        })
    }

    /// As [`Self::adopt`], after lockdown, where a worker cannot look at a descriptor any more.
    ///
    /// # Safety
    /// It is memory of at least `len` bytes whose size is fixed.
    pub unsafe fn adopt_unchecked(file: OwnedFd, len: usize) -> Self {
        Self { file, len }
    }

    /// Its size in bytes.
    #[expect(clippy::len_without_is_empty, reason = "emptiness is of no interest")]
    pub fn len(&self) -> u64 {
        self.len as u64
    }

    /// Its descriptor.
    pub fn into_fd(self) -> OwnedFd {
        self.file
    }

    /// Ends all writing, for ever.
    ///
    /// # Errors
    /// Somebody has it mapped for writing, or the operating system refuses otherwise.
    pub fn seal(self) -> Result<SealedMemory, SealError> {
        let mut sealed = fcntl_add_seals(&self.file, FROZEN);
        for _ in 0..SEALED_AGAIN {
            if sealed != Err(Errno::BUSY) {
                break;
            }
            // The operating system's kernel itself may hold a page for a moment, as it moves pages about.
            std::thread::sleep(SEALED_AFTER);
            sealed = fcntl_add_seals(&self.file, FROZEN);
        }
        match sealed {
            Ok(()) => Ok(SealedMemory {
                file: self.file,
                len: self.len,
            }),
            Err(Errno::BUSY) => Err(SealError::StillMapped),
            Err(Errno::PERM) => Err(SealError::Forestalled),
            Err(error) => Err(SealError::Io(error.into())),
        }
    }

    /// Another handle on the same memory.
    ///
    /// # Errors
    /// The operating system has no descriptors left.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self {
            file: self.file.try_clone()?,
            len: self.len,
        })
    }

    /// Copies its first bytes while others may be writing them: each is old or new.
    ///
    /// # Errors
    /// It is shorter than that, or the operating system refuses.
    pub fn peek(&self, bytes: &mut [u8]) -> io::Result<()> {
        let read = rustix::io::retry_on_intr(|| rustix::io::pread(&self.file, &mut *bytes, 0))?;
        match read == bytes.len() {
            true => Ok(()),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// Maps all of it for writing.
    ///
    /// # Errors
    /// The operating system has no address space left.
    pub fn map(&self) -> io::Result<Writable> {
        let writable = ProtFlags::READ | ProtFlags::WRITE;
        let mapping = Mapping::new(&self.file, self.len, writable, MapFlags::SHARED)?;
        if self.len >= HUGE_PAGE_BYTES {
            // SAFETY: the range is the mapping's, and the advice changes no byte.
            // A refusal costs speed only.
            let _ = unsafe {
                madvise(
                    mapping.start.as_ptr().cast(),
                    self.len,
                    Advice::LinuxHugepage,
                )
            };
        }
        Ok(Writable(mapping))
    }

    /// Makes every page present, so that nobody waits for its zeros later. Memory that nobody has written stays zeros.
    ///
    /// Zeros are written and not mapped: so nothing of this process waits for it, as every change of a mapping would.
    ///
    /// # Errors
    /// There is no memory left.
    pub fn populate(&self) -> io::Result<()> {
        let zeros = [0; ZEROS_BYTES];
        let mut done = 0;
        while done < self.len {
            let some = &zeros[..ZEROS_BYTES.min(self.len - done)];
            done +=
                rustix::io::retry_on_intr(|| rustix::io::pwrite(&self.file, some, done as u64))?;
        }
        Ok(())
    }
}

impl AsFd for OutputMemory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl SealedMemory {
    /// A copy of those bytes.
    ///
    /// # Errors
    /// The operating system has no memory or descriptors left.
    pub fn copy_of(bytes: &[u8]) -> io::Result<Self> {
        Self::gather(bytes.len() as u64, &[(0, bytes)])
    }

    /// So many bytes: copies of those, each from its offset on, and zeros between.
    ///
    /// # Errors
    /// As [`Self::copy_of`].
    pub fn gather(len: u64, pieces: &[(u64, &[u8])]) -> io::Result<Self> {
        let memory = OutputMemory::create(len)?;
        // Writing is faster than mapping: pages that are filled whole are not zeroed first.
        for (offset, bytes) in pieces {
            let mut done = 0;
            while done < bytes.len() {
                done += rustix::io::retry_on_intr(|| {
                    rustix::io::pwrite(&memory.file, &bytes[done..], offset + done as u64)
                })?;
            }
        }
        memory.seal().map_err(io::Error::from)
    }

    /// Bytes that `write` puts in their place.
    ///
    /// # Errors
    /// `write` fails, or the operating system has no memory or descriptors left.
    pub fn fill(len: u64, write: impl FnOnce(&mut [u8]) -> io::Result<()>) -> io::Result<Self> {
        let memory = OutputMemory::create(len)?;
        write(memory.map()?.as_mut())?;
        memory.seal().map_err(io::Error::from)
    }

    /// Takes over memory that a worker was handed.
    ///
    /// # Errors
    /// It is not `len` bytes of memory that nobody can change.
    pub fn adopt(file: OwnedFd, len: u64) -> io::Result<Self> {
        check(&file, len, FROZEN)?;
        Ok(Self {
            file,
            len: to_usize(len)?,
        })
    }

    /// As [`Self::adopt`], after lockdown, where a worker cannot look at a descriptor any more.
    ///
    /// # Safety
    /// It is memory of at least `len` bytes that nobody can change.
    pub unsafe fn adopt_unchecked(file: OwnedFd, len: usize) -> Self {
        Self { file, len }
    }

    /// Its size in bytes.
    #[expect(clippy::len_without_is_empty, reason = "emptiness is of no interest")]
    pub fn len(&self) -> u64 {
        self.len as u64
    }

    /// Maps all of it for reading.
    ///
    /// # Errors
    /// The operating system has no address space left.
    pub fn map(&self) -> io::Result<Mapped> {
        // Private, since kernels before Linux 6.7 refuse to share what is sealed against writing.
        Mapping::new(&self.file, self.len, ProtFlags::READ, MapFlags::PRIVATE).map(Mapped)
    }

    /// Its descriptor.
    pub fn into_fd(self) -> OwnedFd {
        self.file
    }

    /// Another handle on the same memory.
    ///
    /// # Errors
    /// The operating system has no descriptors left.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self {
            file: self.file.try_clone()?,
            len: self.len,
        })
    }
}

impl AsFd for SealedMemory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl From<SealError> for io::Error {
    fn from(error: SealError) -> Self {
        match error {
            SealError::Io(error) => error,
            SealError::StillMapped | SealError::Forestalled => {
                Self::new(io::ErrorKind::ResourceBusy, error)
            }
        }
    }
}

/// Shared memory, mapped for writing.
#[derive(Debug)]
pub struct Writable(Mapping);

impl Writable {
    /// Where it begins.
    pub fn as_ptr(&self) -> NonNull<u8> {
        self.0.start
    }

    /// Its size in bytes.
    #[expect(clippy::len_without_is_empty, reason = "emptiness is of no interest")]
    pub fn len(&self) -> usize {
        self.0.len
    }
}

impl AsMut<[u8]> for Writable {
    fn as_mut(&mut self) -> &mut [u8] {
        // SAFETY: the mapping is readable and writable for `len` bytes while it lives, and this is the only
        // reference to it. The supervisor does not touch the memory before it is sealed, and so not while
        // this mapping stands.
        unsafe { std::slice::from_raw_parts_mut(self.0.start.as_ptr(), self.0.len) }
    }
}

/// Sealed memory, mapped for reading.
#[derive(Debug)]
pub struct Mapped(Mapping);

impl Mapped {
    pub(crate) fn into_mapping(self) -> Mapping {
        self.0
    }
}

impl Deref for Mapped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the mapping is readable for `len` bytes while it lives, and seals keep anyone from changing
        // them.
        unsafe { std::slice::from_raw_parts(self.0.start.as_ptr(), self.0.len) }
    }
}

impl AsRef<[u8]> for Mapped {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

/// A range of addresses that is unmapped at the end.
#[derive(Debug)]
pub(crate) struct Mapping {
    pub(crate) start: NonNull<u8>,
    pub(crate) len: usize,
}

// SAFETY: a mapping belongs to the process, not to a thread; what may be done with its bytes is up to the
// types around it.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    pub(crate) fn new(
        file: &OwnedFd,
        len: usize,
        protection: ProtFlags,
        flags: MapFlags,
    ) -> io::Result<Self> {
        if len == 0 {
            // Nothing can be mapped, and nothing has to be.
            return Ok(Self {
                start: NonNull::dangling(),
                len,
            });
        }
        // SAFETY: the kernel picks a free range of addresses.
        let start = unsafe { mmap(std::ptr::null_mut(), len, protection, flags, file, 0)? };
        let start = NonNull::new(start.cast()).ok_or(Errno::FAULT)?;
        Ok(Self { start, len })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if self.len > 0 {
            // SAFETY: the range is this mapping's, and nothing refers to it any more.
            let unmapped = unsafe { munmap(self.start.as_ptr().cast(), self.len) };
            debug_assert!(unmapped.is_ok());
        }
    }
}

/// Asked for before the operating system is, whose answer is a signal that ends the process.
fn check_file_size(requested: u64) -> io::Result<()> {
    match getrlimit(Resource::Fsize).current {
        Some(maximum) if requested > maximum => Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!(
                "shared memory of {requested} bytes counts as a file, of which this process may have {maximum} bytes: \
                 raise the limit (`ulimit -f`, RLIMIT_FSIZE, LimitFSIZE=)"
            ),
        )),
        _ => Ok(()),
    }
}

fn check(file: &OwnedFd, len: u64, seals: SealFlags) -> io::Result<()> {
    let is_sealed = fcntl_get_seals(file)?.contains(seals);
    let has_size = u64::try_from(fstat(file)?.st_size) == Ok(len);
    if is_sealed && has_size {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidData,
        "shared memory of another size, or unsealed",
    ))
}

fn to_usize(len: u64) -> io::Result<usize> {
    usize::try_from(len).map_err(|_| io::ErrorKind::OutOfMemory.into())
}
