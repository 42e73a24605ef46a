//! Seals, from both sides, and code that is mapped from sealed memory.

#![cfg(target_os = "linux")]

use hotcell_sandbox::image::CodeImage;
use hotcell_sandbox::memory::{OutputMemory, SealError, SealedMemory};
use rustix::fs::{SealFlags, fcntl_add_seals, ftruncate};
use rustix::io::{Errno, pwrite};
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap, mprotect};
use std::os::fd::AsFd;

const LEN: usize = 3 * 4096 + 5;

#[test]
fn memory_that_is_being_written_can_be_looked_at() {
    let memory = OutputMemory::create(LEN as u64).unwrap();
    let mut mapped = memory.map().unwrap();
    mapped.as_mut()[2] = 7;
    let mut seen = [0; 4];
    memory.peek(&mut seen).unwrap();
    assert_eq!(seen, [0, 0, 7, 0]);
    assert!(memory.peek(&mut [0; LEN + 1]).is_err());
}

#[test]
fn sealed_memory_cannot_be_written_grown_or_unsealed() {
    let memory = SealedMemory::copy_of(&[7; LEN]).unwrap();
    assert_eq!(&memory.map().unwrap()[..], [7; LEN]);
    assert_eq!(pwrite(&memory, &[1], 0), Err(Errno::PERM));
    for len in [0, LEN as u64 + 1] {
        assert_eq!(ftruncate(&memory, len), Err(Errno::PERM));
    }
    assert_eq!(
        fcntl_add_seals(&memory, SealFlags::WRITE),
        Err(Errno::PERM),
        "seals are sealed"
    );
    let shared = |protection| {
        // SAFETY: the kernel picks the place.
        unsafe {
            mmap(
                std::ptr::null_mut(),
                LEN,
                protection,
                MapFlags::SHARED,
                &memory,
                0,
            )
        }
    };
    assert_eq!(
        shared(ProtFlags::READ | ProtFlags::WRITE).unwrap_err(),
        Errno::PERM
    );
}

#[test]
fn a_read_only_mapping_of_sealed_memory_does_not_become_a_writable_one_of_the_same_bytes() {
    let memory = SealedMemory::copy_of(&[7; LEN]).unwrap();
    let (mapped, other) = (memory.map().unwrap(), memory.map().unwrap());
    let start = mapped.as_ptr().cast_mut();
    // SAFETY: the mapping is this test's, and private: what is written stays in it.
    unsafe {
        mprotect(
            start.cast(),
            LEN,
            MprotectFlags::READ | MprotectFlags::WRITE,
        )
        .unwrap();
        start.write(1);
    }
    assert_eq!(other[0], 7);
    assert_eq!(memory.map().unwrap()[0], 7);
}

#[test]
fn output_memory_is_sealed_only_when_nobody_can_write_it() {
    let memory = OutputMemory::create(LEN as u64).unwrap();
    let worker =
        OutputMemory::adopt(memory.as_fd().try_clone_to_owned().unwrap(), LEN as u64).unwrap();
    let mut writable = worker.map().unwrap();
    writable.as_mut()[LEN - 1] = 9;
    for len in [0, LEN as u64 + 1] {
        assert_eq!(ftruncate(&memory, len), Err(Errno::PERM));
    }
    let again =
        OutputMemory::adopt(memory.as_fd().try_clone_to_owned().unwrap(), LEN as u64).unwrap();
    assert!(matches!(again.seal(), Err(SealError::StillMapped)));
    drop(writable);
    let sealed = memory.seal().unwrap();
    assert_eq!(sealed.map().unwrap()[LEN - 1], 9);
    assert!(worker.map().is_err(), "nobody maps it for writing again");
}

#[test]
fn memory_of_another_size_or_without_seals_is_not_adopted() {
    let fixed = |memory: &OutputMemory| memory.as_fd().try_clone_to_owned().unwrap();
    let memory = OutputMemory::create(8).unwrap();
    assert!(OutputMemory::adopt(fixed(&memory), 9).is_err());
    assert!(
        SealedMemory::adopt(fixed(&memory), 8).is_err(),
        "it can still be written"
    );
    let sealed = SealedMemory::copy_of(&[1; 8]).unwrap();
    assert!(SealedMemory::adopt(sealed.as_fd().try_clone_to_owned().unwrap(), 8).is_ok());
    assert!(SealedMemory::adopt(sealed.as_fd().try_clone_to_owned().unwrap(), 7).is_err());
    let file = std::fs::File::open("/dev/null").unwrap();
    assert!(OutputMemory::adopt(file.into(), 0).is_err());
}

#[test]
fn memory_is_filled_in_place_and_may_be_empty() {
    let memory = SealedMemory::fill(LEN as u64, |bytes| {
        bytes[LEN - 1] = 3;
        Ok(())
    });
    assert_eq!(memory.unwrap().map().unwrap()[LEN - 1], 3);
    assert!(SealedMemory::fill(1, |_| Err(std::io::ErrorKind::UnexpectedEof.into())).is_err());
    let empty = SealedMemory::copy_of(&[]).unwrap();
    assert!(empty.map().unwrap().is_empty() && empty.try_clone().unwrap().len() == 0);
}

#[test]
#[cfg(target_arch = "x86_64")]
fn code_runs_from_the_sealed_bytes_and_only_where_it_was_published() {
    // A page of constants; a page with `mov eax, 42; ret`; a byte.
    let mut artifact = vec![0_u8; 2 * 4096 + 1];
    artifact[4096..][..6].copy_from_slice(&[0xb8, 42, 0, 0, 0, 0xc3]);
    let image = CodeImage::map(SealedMemory::copy_of(&artifact).unwrap()).unwrap();
    let start = image.bytes().cast::<u8>().as_ptr().cast_const();
    assert_eq!(image.bytes().len(), artifact.len());
    for (offset, len) in [
        (1, 4096),
        (4096, 0),
        (4096, 3 * 4096),
        (0, usize::MAX),
        (1 << 20, 4096),
    ] {
        assert!(
            image.publish(start.wrapping_add(offset), len).is_err(),
            "{offset}, {len}"
        );
    }
    assert!(image.publish(start.wrapping_sub(4096), 4096).is_err());
    let text = start.wrapping_add(4096);
    image.publish(text, 4096).unwrap();
    // SAFETY: the page holds a whole function that takes nothing and returns a number, and is executable.
    let function: extern "C" fn() -> i32 = unsafe { std::mem::transmute(text) };
    assert_eq!(function(), 42);
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let line = maps
        .lines()
        .find(|line| line.starts_with(&format!("{:x}-", text.addr())))
        .unwrap();
    assert!(line.contains("r-xp"), "{line}");
    image.close_file();
    assert!(image.publish(text, 4096).is_err());
    assert_eq!(function(), 42);
}

#[test]
fn an_empty_artifact_is_no_image() {
    assert!(CodeImage::map(SealedMemory::copy_of(&[]).unwrap()).is_err());
}
