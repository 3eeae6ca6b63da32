//! Memory that the X server writes and we read: a sealed memfd. Besides a descriptor by number the only `unsafe` of the crate.
#![allow(unsafe_code, reason = "mapping memory is unsafe by nature; each block says why it is sound")]

use std::{
    io,
    num::NonZeroUsize,
    os::fd::OwnedFd,
    ptr,
    ptr::NonNull,
    sync::atomic::{AtomicU64, Ordering},
};

use rustix::{
    fs::{FallocateFlags, MemfdFlags, SealFlags, fallocate, fcntl_add_seals, ftruncate, memfd_create},
    mm::{MapFlags, ProtFlags, mmap, munmap},
};

use super::last_frame::Word;

const WORD_BYTES: usize = size_of::<SharedWord>();

/// Eight bytes, two pixels, that another process may write while we read. They can only be loaded.
#[derive(Debug)]
#[repr(transparent)]
pub struct SharedWord(AtomicU64);

impl Word for SharedWord {
    fn load(&self) -> u64 {
        // Nothing is ordered by these loads: the X server's reply, which came through a socket, is what says that the
        // picture is complete.
        self.0.load(Ordering::Relaxed)
    }
}

/// A mapping of a memfd whose size is sealed, so that nobody who has the descriptor can cut it off and make our next read
/// a `SIGBUS`. Other processes may write it at any time; we map it read-only.
#[derive(Debug)]
pub struct SharedSegment {
    memory: NonNull<SharedWord>,
    words: usize,
    descriptor: OwnedFd,
}

impl SharedSegment {
    /// Makes a segment of at least this many bytes, all zero.
    pub fn new(bytes: NonZeroUsize) -> io::Result<Self> {
        let words = bytes.get().div_ceil(WORD_BYTES);
        let length = words * WORD_BYTES;
        let descriptor = memfd_create(c"deskhand-frame", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        ftruncate(&descriptor, u64::try_from(length).map_err(io::Error::other)?)?;
        fcntl_add_seals(&descriptor, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
        // SAFETY: the address is the kernel's choice, so that no memory of ours is replaced. The mapping is `length` bytes
        // of a file that has exactly this size and can never be shorter (sealed above, before anyone else has it).
        let memory = unsafe { mmap(ptr::null_mut(), length, ProtFlags::READ, MapFlags::SHARED, &descriptor, 0)? };
        let memory = NonNull::new(memory.cast()).ok_or_else(|| io::Error::other("mmap returned the null address"))?;
        Ok(Self { memory, words, descriptor })
    }

    /// A descriptor to give to the X server (`ShmAttachFd`, MIT-SHM 1.2: works across containers that share only the socket).
    pub fn descriptor(&self) -> io::Result<OwnedFd> {
        self.descriptor.try_clone()
    }

    /// The memory, as atomics, because the server, another process, may write while we read. It should not (it writes only
    /// while a `ShmGetImage` of ours is in flight, and we read only between two of them), but we need not trust it: the
    /// worst is a torn picture. A relaxed load of a word compiles to a plain load, so that comparing word by word with a
    /// private frame is as fast as comparing slices, and nothing is copied where nothing changed.
    pub fn words(&self) -> &[SharedWord] {
        // SAFETY: `memory` points at `words` words that stay mapped until `self` is dropped, and the slice borrows `self`.
        // The start of a page is aligned for them. Any bytes are valid as an `AtomicU64`, which allows others to write
        // behind a shared reference, and nobody holds a plain reference to this memory. On pages that are mapped
        // read-only, relaxed loads of at most a pointer's size are the one atomic operation that is allowed
        // (`std::sync::atomic`, "Atomic accesses to read-only memory"), and the one that `SharedWord` offers.
        unsafe { std::slice::from_raw_parts(self.memory.as_ptr(), self.words) }
    }

    /// Gives the memory back to the system; it reads as zeros until the server writes it again, which costs it a page fault
    /// for each 4 KiB. For a server that has had nothing to do for a while.
    pub fn release(&self) -> io::Result<()> {
        let length = self.words * WORD_BYTES;
        let length = u64::try_from(length).map_err(io::Error::other)?;
        Ok(fallocate(&self.descriptor, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, 0, length)?)
    }
}

impl Drop for SharedSegment {
    fn drop(&mut self) {
        // SAFETY: exactly the range that `new` mapped, once; every slice of it borrowed `self` and is gone.
        let unmapped = unsafe { munmap(self.memory.as_ptr().cast(), self.words * WORD_BYTES) };
        debug_assert!(unmapped.is_ok(), "{unmapped:?}");
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::File, os::unix::fs::FileExt as _};

    use super::*;

    fn segment(bytes: usize) -> SharedSegment {
        SharedSegment::new(NonZeroUsize::new(bytes).unwrap()).unwrap()
    }

    fn read(segment: &SharedSegment, word: usize) -> [u8; 8] {
        segment.words()[word].load().to_ne_bytes()
    }

    #[test]
    fn what_another_holder_of_the_descriptor_writes_is_read_here() {
        let segment = segment(4 * 1001 * 701);
        assert_eq!(segment.words().len(), 350_851, "an odd number of pixels fills half of the last word");
        let other = File::from(segment.descriptor().unwrap());
        other.write_all_at(b"abcdefgh", 8).unwrap();
        assert_eq!((&read(&segment, 0), &read(&segment, 1)), (&[0; 8], b"abcdefgh"));
    }

    #[test]
    fn another_holder_cannot_change_the_size_or_the_seals() {
        let segment = segment(8192);
        let other = File::from(segment.descriptor().unwrap());
        assert!(other.set_len(4096).is_err());
        assert!(other.set_len(16384).is_err());
        assert!(fcntl_add_seals(&other, SealFlags::WRITE).is_err());
        assert_eq!(read(&segment, 1023), [0; 8]);
    }

    #[test]
    fn released_memory_reads_as_zeros_and_can_be_written_again() {
        let segment = segment(8192);
        let other = File::from(segment.descriptor().unwrap());
        other.write_all_at(b"abcdefgh", 4096).unwrap();
        segment.release().unwrap();
        assert_eq!(read(&segment, 512), [0; 8]);
        other.write_all_at(b"ijklmnop", 4096).unwrap();
        assert_eq!(&read(&segment, 512), b"ijklmnop");
    }
}
