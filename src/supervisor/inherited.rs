//! A descriptor that whoever started us has opened for us.
#![allow(unsafe_code, reason = "a number becomes a descriptor nowhere else; the block says why that is sound")]

use std::{
    io,
    os::fd::{FromRawFd as _, OwnedFd, RawFd},
    path::Path,
};

use rustix::io::{FdFlags, fcntl_setfd};

/// Takes a descriptor over, which no child of ours gets then. To be called before we have opened any ourselves, and once.
///
/// # Errors
/// There is none of this number.
pub(super) fn take(number: RawFd) -> io::Result<OwnedFd> {
    // Not every number is a descriptor, and only one that is may be owned.
    Path::new("/proc/self/fd").join(number.to_string()).symlink_metadata()?;
    // SAFETY: it is open (the line above; we have one thread), it is no standard stream (`config` has checked that), and nothing of
    // ours has been opened yet that could own it (the first thing that `supervisor::run` does).
    let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
    fcntl_setfd(&descriptor, FdFlags::CLOEXEC)?;
    Ok(descriptor)
}
